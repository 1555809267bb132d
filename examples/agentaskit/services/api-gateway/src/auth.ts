import { createRemoteJWKSet, jwtVerify, type JWTPayload } from "jose";

const BEARER = /^Bearer (?<token>[\w-]+\.[\w-]+\.[\w-]+)$/;

/** The shape of the personal tokens that the import page accepts, for its error message. */
export const GITHUB_TOKEN_PATTERN = /^ghp_[0-9A-Za-z]{36}$/;

export function bearerToken(header: string | undefined): string | null {
  return header?.match(BEARER)?.groups?.token ?? null;
}

/** Verifies a token of the identity provider; its keys are public and fetched from the issuer. */
export async function verify(token: string, issuer: string): Promise<JWTPayload> {
  const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", issuer));
  const { payload } = await jwtVerify(token, keys, { issuer, audience: "agentaskit" });
  return payload;
}
