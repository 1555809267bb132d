/** Settings of the gateway. Every secret comes from the environment; none has a default. */
export interface Config {
  port: number;
  issuer: string;
  openaiApiKey: string;
  githubToken: string;
  stripeSecretKey: string;
  sessionCookie: { name: string; secure: boolean };
}

export function required(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (value === undefined || value === "") {
    throw new Error(`${name} is not set: see .env.example`);
  }
  return value;
}

export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  return {
    port: Number(env.PORT ?? "8080"),
    issuer: env.JWT_ISSUER ?? "https://auth.agentaskit.example",
    openaiApiKey: required(env, "OPENAI_API_KEY"),
    githubToken: required(env, "GITHUB_TOKEN"),
    stripeSecretKey: required(env, "STRIPE_SECRET_KEY"),
    sessionCookie: { name: "agentaskit_session", secure: true },
  };
}
