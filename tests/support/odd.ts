//! What is sent where doors are compared: mostly what nobody should send.

import type { JsonObject } from "@bufbuild/protobuf";

export const texts: readonly [string, ...string[]] = [
  "",
  " ",
  "\u200b\u200b",
  "\u0301\u0301",
  "plain",
  "👩‍👩‍👧‍👦 🇩🇪 👍🏽",
  "Привет שלום नमस्ते",
  "e\u0301 é",
  "a\r\nSet-Cookie: x=1",
  "nul \u0000 bell \u0007",
  "'; DROP TABLE post; --",
  "<script>alert(1)</script> $\u007bjndi:ldap://x} {{7*7}} %s%n",
  "x".repeat(5_000),
  "x".repeat(5_001),
  "👍🏽".repeat(2_500),
  "ü".repeat(10_001),
  "x".repeat(300_000),
];
export const strangers: readonly [string, ...string[]] = [
  "",
  "0",
  "-1",
  "1",
  "1.5",
  "01",
  "a",
  "nobody_here",
  "NoBody_Here",
  "ünïcode",
  "an na",
  "a;b",
  "a%2fb",
  "a/b",
  "..",
  "18446744073709551615",
  "18446744073709551616",
  "9".repeat(30),
  "x".repeat(500),
  "\u0000",
  "' OR 1=1 --",
];
export const reactionKinds: readonly [string, ...string[]] = [
  "REACTION_KIND_LIKE",
  "REACTION_KIND_DISLIKE",
  "REACTION_KIND_LOVE",
  "REACTION_KIND_UNSPECIFIED",
];
export const mediaKinds: readonly [string, ...string[]] = [
  "PHOTO",
  "VIDEO",
  "REEL",
  "VOICE",
  "AUDIO",
  "FILE",
  "UNSPECIFIED",
];
export const uploads: readonly [number, ...number[]] = [
  0, 1, 9, 10_485_760, 10_485_761, 52_428_800, 52_428_801, 4_294_967_295,
];
export const words: readonly [string, ...string[]] = ["cats", "Cats", "spoiler alert", "café", "100%", " trimmed "];
export const names: readonly [string, ...string[]] = [
  "",
  "ab",
  "1abc",
  "_abc",
  "Ünicode",
  "a b",
  "x".repeat(31),
  "admin ",
];
export const secrets: readonly [string, ...string[]] = [
  "",
  "short",
  "x".repeat(129),
  "pässwörd 🔑 long",
  "wrong horse battery",
];
export const sizes: readonly [number, ...number[]] = [-1, 0, 1, 2, 3, 20, 100, 101, 2_147_483_647, -2_147_483_648];
export const pages: readonly [string, ...string[]] = [
  "",
  "0",
  "abc",
  "%00",
  "ü",
  "x".repeat(1_025),
  "eyJvZmZzZXQiOi0xfQ",
];
export const badTokens: readonly [string, ...string[]] = ["a.b.c", "x", "x".repeat(5_000)];
export const badKeys: readonly [string, ...string[]] = ["a b", "x".repeat(256)];

/** Polls of posts: two that are, and some that are none. */
export const polls: readonly [JsonObject, ...JsonObject[]] = [
  { options: ["a", "b"], durationSeconds: 300 },
  { options: ["a", "b", "c"], durationSeconds: 2_592_000, multiple: true },
  { options: ["a"], durationSeconds: 300 },
  { options: ["a", "a"], durationSeconds: 300 },
  { options: ["a", ""], durationSeconds: 300 },
  { options: Array.from({ length: 11 }, String), durationSeconds: 300 },
  { options: ["a", "b"], durationSeconds: 299 },
];
