/** Texts in many scripts, with everything in them that some store or wire once bent. */
export const scripts: readonly string[] = [
  "Ελληνικά και Ω",
  "Привет, мир",
  "नमस्ते दुनिया",
  "ಕನ್ನಡ தமிழ் తెలుగు",
  "السلام عليكم \u202eمرحبا\u202c",
  "שלום",
  "你好，世界 𠮷野家",
  "こんにちは ｶﾅ",
  "안녕하세요 \u1112\u1161\u11ab",
  "សួស្តី ພາສາລາວ ไทย",
  "ᏣᎳᎩ ᚠᚢᚦ 𐎀𐎁 𒀀",
  "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇺🇳 1️⃣",
  "e\u0301 is not \u00e9",
  "\ufeffa mark first",
  "tabs\tand\r\nlines\n\n",
  "nul \u0000 inside",
  "' \" \\ % _ ` ; -- /* */ \\u0041 #{x} {{y}}",
  " spaces stay ",
  "\u{10ffff} the last one",
  "Z̴͙͝ä̸l̷g̶o̵",
];

/** Texts in which nobody could see anything. */
export const invisible: readonly string[] = [
  "",
  " ",
  "\n\t\r\n",
  "\u00a0\u3000\u2028",
  "\u200b\u200d\ufeff",
  "\u0301\u0300",
  "\u00ad\u2060",
  "\u0000",
  "\u3164",
  "\ufe0f",
];
