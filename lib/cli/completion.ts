// Completion scripts for shells, made from the commands' descriptions.

import { type Command, COMMON_FLAGS, type Flag, type Live } from "./command.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;

export type Shell = typeof SHELLS[number];

const WRITERS: Readonly<Record<Shell, (commands: readonly Command[]) => string>> = {
  bash,
  zsh,
  fish,
};

/** The script that a shell reads to complete command lines. */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  return WRITERS[shell](commands);
}

function flagsOf({ flags }: Command): readonly Flag[] {
  return [...flags, ...COMMON_FLAGS];
}

function namesOf(all: readonly { readonly name: string }[]): string {
  return all.map(({ name }) => name).join(" ");
}

/** Branches of a case statement: what to do behind each flag that takes a value, "command:--flag". */
function valueCases(
  commands: readonly Command[],
  files: string,
  offer: (words: readonly string[]) => string,
  ask: (live: Live) => string,
): string {
  const branches = commands.flatMap((command) =>
    command.flags.filter(({ argument }) => argument !== undefined).map((flag) => {
      const patterns = [`${command.name}:--${flag.name}`];
      if (flag.letter !== undefined) patterns.push(`${command.name}:-${flag.letter}`);
      const { offers = [] } = flag;
      const action = offers === "files"
        ? files
        : typeof offers === "string"
        ? ask(offers)
        : offer(offers);
      return { patterns, action };
    })
  );
  const byAction = Map.groupBy(branches, ({ action }) => action);
  return [...byAction].map(([action, same]) => {
    const patterns = same.flatMap((branch) => branch.patterns).join(" | \\\n      ");
    return `    ${patterns})\n      ${action}\n      return\n      ;;\n`;
  }).join("");
}

function bash(commands: readonly Command[]): string {
  const [standard] = commands;
  const cases = (write: (command: Command) => string | undefined) =>
    commands.map((command) => {
      const words = write(command);
      return words === undefined ? "" : `      ${command.name}) words='${words}' ;;\n`;
    }).join("");
  return `\
# bash completion of compute-lb, written by "compute-lb completion bash".

_compute_lb() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local command=${standard?.name} words=''
  COMPREPLY=()
  # "--flag=value" comes as three words.
  if [[ $current == = ]]; then
    current=''
  elif [[ $previous == = ]]; then
    previous=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  if ((COMP_CWORD > 1)); then
    case \${COMP_WORDS[1]} in
      ${commands.map(({ name }) => name).join(" | ")}) command=\${COMP_WORDS[1]} ;;
    esac
  fi
  case $command:$previous in
${
    valueCases(
      commands,
      `_compute_lb_offer -f "$current"`,
      (words) => words.length === 0 ? ":" : `_compute_lb_offer -W '${words.join(" ")}' "$current"`,
      (live) => `_compute_lb_offer -W "$(_compute_lb_ask ${live})" "$current"`,
    )
  }  esac
  if [[ $current == -* ]]; then
    case $command in
${cases((command) => flagsOf(command).map(({ name }) => `--${name}`).join(" "))}    esac
  elif ((COMP_CWORD == 1)); then
    words='${namesOf(commands)}'
  else
    case $command in
${cases(({ positionals }) => positionals?.({ commands }).join(" "))}    esac
    case $command in
${
    commands.flatMap(({ name, live }) =>
      live === undefined ? [] : `      ${name}) words+=" $(_compute_lb_ask ${live})" ;;\n`
    ).join("")
  }    esac
  fi
  _compute_lb_offer -W "$words" "$current"
}

# Names of the running balancer.
_compute_lb_ask() {
  "\${COMP_WORDS[0]}" completion "$1" 2>/dev/null
}

# Offers what compgen makes of all arguments but the last, as far as it begins with the last.
_compute_lb_offer() {
  local current=\${!#} line
  [[ $1 == -f ]] && compopt -o filenames 2>/dev/null
  while IFS= read -r line; do
    COMPREPLY+=("$line")
  done < <(compgen "\${@:1:$#-1}" -- "$current")
}

complete -F _compute_lb compute-lb
`;
}

function zsh(commands: readonly Command[]): string {
  const [standard] = commands;
  const described = (name: string, text: string) =>
    `'${name.replaceAll(":", "\\:")}:${text.replaceAll("'", "'\\''")}'`;
  const flags = commands.map((command) => {
    const all = flagsOf(command).map(({ name, text }) => `        ${described(`--${name}`, text)}`);
    return `      ${command.name}) flags=(\n${all.join("\n")}\n      ) ;;\n`;
  });
  const positionals = commands.flatMap(({ name, positionals, live }) => {
    const words = [
      ...positionals?.({ commands }) ?? [],
      ...(live === undefined ? [] : [`\${(f)"$($words[1] completion ${live} 2>/dev/null)"}`]),
    ];
    return words.length === 0 ? [] : [`      ${name}) compadd -- ${words.join(" ")} ;;\n`];
  });
  return `\
#compdef compute-lb
# zsh completion of compute-lb, written by "compute-lb completion zsh".

_compute_lb() {
  local command=${standard?.name} previous=$words[CURRENT-1]
  local -a commands flags
  commands=(
${commands.map(({ name, summary }) => `    ${described(name, summary)}`).join("\n")}
  )
  if [[ $PREFIX == --*=* ]]; then
    previous=\${PREFIX%%=*}
    compset -P 1 '*='
  fi
  if (( CURRENT > 2 )); then
    case $words[2] in
      ${commands.map(({ name }) => name).join(" | ")}) command=$words[2] ;;
    esac
  fi
  case $command:$previous in
${
    valueCases(
      commands,
      "_files",
      (words) => words.length === 0 ? ":" : `compadd -- ${words.join(" ")}`,
      (live) => `compadd -- \${(f)"$($words[1] completion ${live} 2>/dev/null)"}`,
    )
  }  esac
  if [[ $PREFIX == -* ]]; then
    case $command in
${flags.join("")}    esac
    _describe -o flag flags
  elif (( CURRENT == 2 )); then
    _describe command commands
  else
    case $command in
${positionals.join("")}    esac
  fi
}

if [[ $funcstack[1] == _compute-lb ]]; then
  _compute_lb "$@"
else
  compdef _compute_lb compute-lb
fi
`;
}

function fish(commands: readonly Command[]): string {
  const [standard, ...others] = commands;
  const quoted = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = commands.flatMap((command) => {
    // The flags of the first command stand without its name, too.
    const when = command === standard
      ? `not __fish_seen_subcommand_from ${namesOf(others)}`
      : `__fish_seen_subcommand_from ${command.name}`;
    const start = `complete -c compute-lb -n ${quoted(when)}`;
    const words = [
      ...command.positionals?.({ commands }) ?? [],
      ...(command.live === undefined
        ? []
        : [`(compute-lb completion ${command.live} 2>/dev/null)`]),
    ];
    return [
      `complete -c compute-lb -n __fish_use_subcommand -a ${command.name} -d ${
        quoted(command.summary)
      }`,
      ...flagsOf(command).map(({ name, letter, argument, text, offers = [] }) => {
        const short = letter === undefined ? "" : ` -s ${letter}`;
        const value = argument === undefined
          ? ""
          : offers === "files"
          ? " -r -F"
          : ` -x -a ${
            quoted(
              typeof offers === "string"
                ? `(compute-lb completion ${offers} 2>/dev/null)`
                : offers.join(" "),
            )
          }`;
        return `${start} -l ${name}${short}${value} -d ${quoted(text)}`;
      }),
      ...(words.length === 0 ? [] : [`${start} -a ${quoted(words.join(" "))}`]),
    ];
  });
  return `\
# fish completion of compute-lb, written by "compute-lb completion fish".

complete -c compute-lb -f
${lines.join("\n")}
`;
}
