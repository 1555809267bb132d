import assert from "node:assert/strict";
import { test } from "node:test";

import { required } from "../src/config.ts";

test("a missing variable is an error that names it", () => {
  assert.throws(() => required({}, "GITHUB_TOKEN"), /GITHUB_TOKEN is not set/);
});

test("a set variable is returned as it is", () => {
  assert.equal(required({ LOG_LEVEL: "debug" }, "LOG_LEVEL"), "debug");
});
