import { type Random, randomOf } from "./random.ts";

type Texts = readonly [string, ...string[]];

/** What people open with, in the language of the rest. */
const english: Texts = [
  "The fog lifted just as the tram came over the bridge.",
  ..."Finished the book everyone told me to read. Everyone was right.|First frost. The tomatoes are done.".split("|"),
  ..."Does anyone else reread the first page when they finish the last?|Small win: the bread rose.".split("|"),
  ..."Today I learned that swifts sleep while they fly.|Our team lost 4–0 and somehow it was a lovely day.".split("|"),
  ..."Night shift, third coffee, and the moon is absurd.|Unpopular opinion: maps are better on paper.".split("|"),
  ..."The library has a new chair by the window and I live there now.|Rain. Again. Still. Always.".split("|"),
  ..."If you are near the harbour tonight, look up.|Somebody left a piano at the station. Somebody is good.".split("|"),
];
const otherwise: readonly [Texts, ...Texts[]] = [
  [
    "Сегодня первый снег, и весь двор молчит.",
    "Кто-нибудь ещё пишет письма от руки?",
    "Поезд опоздал, зато я дочитала главу.",
  ],
  ["القهوة أولاً، ثم كل شيء آخر.", "غروب اليوم فوق البحر لا يوصف.", "هل من كتاب تنصحونني به هذا الأسبوع؟"],
  ["הים היום שקט כמו דף חלק.", "מישהו יודע איפה יש חלה טובה בשכונה?", "סוף סוף גשם."],
  ["आज की चाय कुछ ज़्यादा ही अच्छी बनी।", "बारिश, किताब और खिड़की — बस इतना ही चाहिए।", "कौन-कौन मैच देख रहा है?"],
  ["今日は朝から山の上。空気がおいしい。", "新しいカメラ、まだ説明書を読んでいない。", "雨の日の図書館が好き。"],
  ["今天的地铁上有人在弹吉他。", "刚读完三体，睡不着了。", "周末去骑车，有人一起吗？"],
  ["오늘 하늘 색이 정말 예쁘다.", "커피 두 잔째, 아직 월요일.", "누가 우리 동네 떡볶이집 좀 추천해 주세요"],
  ["ฝนตกทั้งวัน แมวก็นอนทั้งวัน", "ใครเคยไปเชียงใหม่หน้าหนาวบ้าง", "กาแฟแก้วนี้ช่วยชีวิต"],
  [
    "Ça sent la pluie et le pain grillé.",
    "Die Amsel vor dem Fenster übt seit fünf Uhr.",
    "¿Quién más se quedó sin metro anoche?",
  ],
];
const emoji: Texts = [
  "🌅",
  ..."🫖📚|👨‍👩‍👧‍👦 all in one kayak. Never again.|🇧🇷 3 – 2 🇳🇱 what a match|👩🏽‍🚀👩🏽‍🚀👩🏽‍🚀".split("|"),
  "🐈‍⬛ > 🐕",
  ..."❤️‍🔥|🏳️‍🌈🏳️‍⚧️|☕️ ☕️ ☕️|🧶🪡 evening|👍🏿👍🏾👍🏽👍🏼👍🏻👍".split("|"),
];
const short: Texts = ["yes", ..."No.|same|it works!!|Good morning|soon|…|42|finally|why|hm".split("|")];
/** Texts that some program, somewhere, takes for something else. */
const awkward: Texts = [
  `<b>bold</b> & "quoted" <script>alert('not today')</script>`,
  "Robert'); DROP TABLE posts;-- is my favourite pupil",
  "a line\nand one under it\n\n\nand one far below\ttabbed",
  "left ‏ימין‎ right: שלום (hello) 123!",
  "Z̵̡͇a̴l̷g̶o was here",
  "{{name}} $(value) %s %d \\n \\u0000 NULL undefined",
  "🤷🏽‍♀️ null, true, 1e999, 0x1F, ﷽",
  "https://example.org/a/very/long/path?with=a&query=string#and-a-fragment is worth a read",
];
const tails: Texts = [
  "That is all.",
  ..."More tomorrow.|I may be wrong.|Ask me again in a week.|Photos later.|Nobody believed me.|Worth the walk.".split(
    "|",
  ),
  ..."My neighbour disagrees, loudly.|It took three tries and a borrowed ladder.|I would do it again.".split("|"),
  ..."We laughed until the last bus had gone.|The smell of it stayed in the coat for days.".split("|"),
];
const tags: Texts = [
  "#birds",
  ..."#baking #nightshift #maps #スケッチ #книги #السفر #music #running #チャイ".split(" "),
];
const longMin = 20;
const longMax = 60;

/** What a person's `nth` post says. Most are a line or two, some a word, a few an essay. */
export function textOf(seed: number, author: number, nth: number): string {
  const random = randomOf("post", seed, author, nth);
  const kind = random.next();
  if (kind < 0.02) return random.pick(awkward);
  if (kind < 0.09) return random.pick(short);
  if (kind < 0.17) return random.pick(emoji);
  if (kind < 0.2) return essay(random);
  return tagged(random, kind < 0.45 ? random.pick(random.pick(otherwise)) : sentences(random, 1 + random.below(4)));
}

const sentences = (random: Random, count: number): string =>
  [random.pick(english), ...Array.from({ length: count - 1 }, () => random.pick(tails))].join(" ");

function essay(random: Random): string {
  const paragraphs = Array.from({ length: longMin + random.below(longMax - longMin) }, () => sentences(random, 2));
  return paragraphs.map((text, at) => (at > 0 && at % 5 === 0 ? `\n\n${text}` : text)).join(" ");
}

const tagged = (random: Random, text: string): string => (random.next() < 0.15 ? `${text} ${random.pick(tags)}` : text);
