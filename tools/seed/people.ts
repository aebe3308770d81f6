import { type Random, randomOf } from "./random.ts";

/** Somebody to be. */
export type Person = { readonly username: string; readonly displayName: string; readonly bio: string };

/** As it is written, and as a username spells it. */
type Name = readonly [shown: string, spelled: string];

const firstNames: readonly [Name, ...Name[]] = [
  ...plain(
    "Ada Amara Ben Chloe Diego Elena Fatima Grace Hugo Ines Jonas Kofi Lena Maya Noah Olga Pablo Quinn Rosa Sam",
  ),
  ...plain("Tara Uma Victor Wanda Xenia Yara Zoe Aiko Bilal Carla Dmitri Esther Femi Gita Hana Ivan Jamal Keiko Liam"),
  ["Zoë", "zoe"],
  ["André", "andre"],
  ["Øyvind", "oyvind"],
  ["Łucja", "lucja"],
  ["Аня", "anya"],
  ["Дмитрий", "dmitriy"],
  ["ليلى", "layla"],
  ["يوسف", "yusuf"],
  ["נועה", "noa"],
  ["आरव", "aarav"],
  ["प्रिया", "priya"],
  ["さくら", "sakura"],
  ["小明", "xiaoming"],
  ["지우", "jiwoo"],
  ["สมชาย", "somchai"],
];

const lastNames: readonly [string, ...string[]] = [
  "Okafor",
  ..."Lindqvist García Müller Haddad Tanaka Silva Novák Kaya Osei Petrov Rossi Nguyễn Cohen Iyer Kim".split(" "),
  ..."Dubois Mbeki O’Brien Søndergaard Wójcik Hernández Papadopoulos Chen Yamamoto Singh Eriksen Diallo".split(" "),
];

const crafts: readonly [string, ...string[]] = [
  "weaver",
  ..."birdwatcher|night-shift nurse|tram driver|amateur astronomer|baker|translator|beekeeper|chess player".split("|"),
  ..."marine biologist|luthier|teacher|climber|map collector|gardener|sound engineer|goalkeeper|potter".split("|"),
];

const asides: readonly [string, ...string[]] = [
  "Opinions are my cat’s.",
  "Mostly birds 🐦",
  "she/her",
  "they/them · 🏳️‍🌈",
  "Пишу о книгах и поездах.",
  "أكتب عن الطعام والسفر",
  "מדי פעם גם שירה",
  "चाय पहले, बातें बाद में ☕",
  "週末は山にいます。",
  "喜欢骑车和旧相机",
  "ชอบแมวมากกว่าคน 🐈",
  "Coffee, code, kayaks.\nIn that order.",
  "Ask me about sourdough.",
  "🇳🇴 ↔ 🇵🇹",
];

/** Who number `nth` of a seed is. The seed is in the name, so that networks of two seeds stand beside each other. */
export function personOf(seed: number, nth: number): Person {
  const random = randomOf("person", seed, nth);
  const [shown, spelled] = random.pick(firstNames);
  const displayName = random.next() < 0.8 ? `${shown} ${random.pick(lastNames)}` : shown;
  return { username: `${spelled}_${seed.toString(36)}_${nth}`, displayName, bio: bioOf(random) };
}

/** Few say much about themselves, and some nothing. */
function bioOf(random: Random): string {
  if (random.next() < 0.2) return "";
  const craft = random.pick(crafts);
  const begun = `${craft.charAt(0).toUpperCase()}${craft.slice(1)}`;
  if (random.next() < 0.4) return `${begun}.`;
  return random.next() < 0.5 ? random.pick(asides) : `${begun} and ${random.pick(crafts)}. ${random.pick(asides)}`;
}

function plain(names: string): [Name, ...Name[]] {
  const [first = "", ...rest] = names.split(" ");
  const nameOf = (name: string): Name => [name, name.toLowerCase()];
  return [nameOf(first), ...rest.map(nameOf)];
}
