/** An RFC 9457 problem document, or the nearest thing to one when the network itself failed (status 0). */
export class Problem extends Error {
  readonly status: number;
  readonly type: string;
  readonly title: string;
  readonly detail: string;
  /** Members beyond the standard ones, e.g. `candidates` of a refused import, `errors` of a validation. */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(status: number, body: Record<string, unknown>) {
    const text = (key: string) => (typeof body[key] === "string" ? (body[key] as string) : "");
    const title = text("title") || (status === 0 ? "network" : `HTTP ${status}`);
    super(text("detail") || title);
    this.name = "Problem";
    this.status = status;
    this.type = text("type") || "about:blank";
    this.title = title;
    this.detail = text("detail") || title;
    this.members = body;
  }

  /** The server's own sentence of what to do, when it sent one. */
  get remedy(): string | null {
    const remedy = this.members.remedy;
    return typeof remedy === "string" && remedy !== "" ? remedy : null;
  }

  static async of(response: Response): Promise<Problem> {
    const text = await response.text();
    try {
      const body: unknown = JSON.parse(text);
      if (body && typeof body === "object") return new Problem(response.status, body as Record<string, unknown>);
    } catch {
      return new Problem(response.status, { detail: text.slice(0, 300) });
    }
    return new Problem(response.status, { detail: text.slice(0, 300) });
  }

  static unreachable(cause: unknown): Problem {
    return new Problem(0, { detail: cause instanceof Error ? cause.message : String(cause) });
  }
}

/**
 * True when the server said no, so that another try is another intention. Without an answer the first may stand: the same key
 * asks again for the same one.
 */
export function isRefused(problem: Problem): boolean {
  return problem.status >= 400 && problem.status < 500 && problem.type !== "/problems/in-progress";
}
