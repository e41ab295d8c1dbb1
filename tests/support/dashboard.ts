// The queries of the Grafana dashboard, for tests.

export interface DashboardQuery {
  readonly expr: string;
  readonly legendFormat: string;
}

/** All queries of all panels. */
export function queriesOf(dashboard: Readonly<Record<string, unknown>>): DashboardQuery[] {
  const found: DashboardQuery[] = [];
  const look = (value: unknown) => {
    if (typeof value !== "object" || value === null) return;
    if (isQuery(value)) found.push(value);
    Object.values(value).forEach(look);
  };
  look(dashboard.panels);
  return found;
}

function isQuery(value: object): value is DashboardQuery {
  return "expr" in value && typeof value.expr === "string" &&
    "legendFormat" in value && typeof value.legendFormat === "string";
}
