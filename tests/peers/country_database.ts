// MaxMind DB files as the format's own tools write and read them: MaxMind::DB::Writer makes them,
// mmdblookup looks addresses up.

import { peerProgram } from "../support/require_peer.ts";

/** What a network's record holds. */
export type DatabaseRecord = { readonly [key: string]: string | DatabaseRecord };

export interface DatabaseShape {
  readonly ipVersion?: 4 | 6;
  /** Bits of one side of a node. */
  readonly recordSize?: 24 | 28 | 32;
}

const WRITER = `
use strict; use warnings; use JSON::PP; use MaxMind::DB::Writer::Tree;
my ($file, $version, $size) = @ARGV;
my $tree = MaxMind::DB::Writer::Tree->new(
  ip_version => $version, record_size => $size, database_type => "Test-Country",
  languages => ["en"], description => { en => "test" },
  $version == 6 ? (alias_ipv6_to_ipv4 => 1) : (), remove_reserved_networks => 0,
  map_key_type_callback => sub { $_[0] =~ /country$/ ? "map" : "utf8_string" },
);
$tree->insert_network(@$_) for @{ decode_json(do { local $/; <STDIN> }) };
open my $out, ">:raw", $file or die "$file: $!";
$tree->write_tree($out);
close $out or die "$file: $!";
`;

/** Writes a database; of networks that overlap, the later one counts. */
export async function writeDatabase(
  file: string,
  networks: readonly (readonly [network: string, record: DatabaseRecord])[],
  { ipVersion = 6, recordSize = 28 }: DatabaseShape = {},
): Promise<void> {
  peerProgram("libmaxmind-db-writer-perl");
  const args = ["-e", WRITER, file, String(ipVersion), String(recordSize)];
  await converse("perl", args, JSON.stringify(networks));
}

/** Looks a text up in the record of each address; "" where there is none. */
export async function lookUp(
  file: string,
  addresses: readonly string[],
  key: string,
): Promise<string[]> {
  const script = 'while read -r ip; do echo "= $ip"; "$1" --file "$2" --ip "$ip" "$3"; done; true';
  const args = ["-c", script, "sh", peerProgram("mmdblookup"), file, key];
  const output = await converse("sh", args, addresses.map((one) => `${one}\n`).join(""));
  return output.split("= ").slice(1).map((answer) =>
    /"(.*)" <utf8_string>/.exec(answer)?.[1] ?? ""
  );
}

async function converse(program: string, args: readonly string[], input: string): Promise<string> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await output;
  const decoder = new TextDecoder();
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}
