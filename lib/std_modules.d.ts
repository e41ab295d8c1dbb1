// Types for the modules of npm:deno-std, which ships none. Each declared name is the alias in
// deno.json's import map; only what this project uses is declared.

declare module "@std/yaml" {
  /**
   * Parses one YAML document.
   * @throws {SyntaxError} with a message ending in "at line L, column C".
   */
  export function parse(
    text: string,
    options?: { schema?: "core" | "default" | "failsafe" | "json" | "extended" },
  ): unknown;
  export function stringify(
    data: unknown,
    options?: {
      lineWidth?: number;
      sortKeys?: boolean;
      skipInvalid?: boolean;
      useAnchors?: boolean;
      compatMode?: boolean;
    },
  ): string;
}

declare module "@std/cli/parse-args" {
  export function parseArgs(
    args: readonly string[],
    options?: {
      boolean?: readonly string[];
      string?: readonly string[];
      collect?: readonly string[];
      alias?: Readonly<Record<string, string | readonly string[]>>;
      default?: Readonly<Record<string, unknown>>;
      stopEarly?: boolean;
      "--"?: boolean;
      unknown?: (argument: string, key?: string, value?: unknown) => unknown;
    },
  ): { _: (string | number)[]; [key: string]: unknown };
}

declare module "@std/assert" {
  export function assert(condition: unknown, message?: string): asserts condition;
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertStrictEquals<T>(
    actual: unknown,
    expected: T,
    message?: string,
  ): asserts actual is T;
  export function assertAlmostEquals(
    actual: number,
    expected: number,
    tolerance?: number,
    message?: string,
  ): void;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;
  export function assertThrows(
    run: () => unknown,
    type?: abstract new (...parameters: never[]) => Error,
    includes?: string,
  ): Error;
  export function assertRejects(
    run: () => PromiseLike<unknown>,
    type?: abstract new (...parameters: never[]) => Error,
    includes?: string,
  ): Promise<Error>;
  export function fail(message?: string): never;
}
