import type { Person } from "./people.ts";
import { randomOf } from "./random.ts";

/** Who is there at a first start: `username|name|bio`. */
const cast = `ada|Ada Lovelace|Poetical science. Notes on engines, and on numbers.
grace|Grace Hopper|It is easier to ask forgiveness. Nanoseconds in my pocket.
alan|Alan Turing|Long-distance runner. Wondering whether machines think.
katherine|Katherine Johnson|Count everything. Check the numbers once more.
edsger|Edsger Dijkstra|Shortest paths, long letters, fountain pen.
barbara|Barbara Liskov|What can stand in for what, and when.
margaret|Margaret Hamilton|Priorities, even on the way down 🌙
claude|Claude Shannon|Juggling on a unicycle. Bits.
hedy|Hedy Lamarr|Frequency, hopping.
leslie|Leslie Lamport|What happened before what?
radia|Radia Perlman|I think that I shall never see a graph more lovely than a tree.
donald|Donald Knuth|Premature, the root of. Organ, evenings.
annie|Annie Easley|Batteries, rockets, ski slopes.
ken|Ken Thompson|Small tools. Chess endgames.
sophie|Sophie Wilson|Fewer instructions, please.
tim|Tim Berners-Lee|This is for everyone.
mary|Mary Jackson|Wind tunnels and open doors.
niklaus|Niklaus Wirth|As simple as possible.
frances|Frances Allen|Teaching compilers to look ahead.
john|John Backus|Formulas, translated.
noor|نور|قهوة وكتب وبحر
yuki|ゆき|山と写真と猫 🐈
sasha|Саша|Поезда, письма, первый снег.
tamar|תמר|מדי פעם גם שירה
asha|आशा|चाय पहले, बातें बाद में ☕`;

const opening = `The engine weaves algebraic patterns as the loom weaves flowers and leaves.
A ship in port is safe, but that is not what ships are for ⛵
Ran to the river and back. The hard part of a proof is like the hill: short, if you keep going.
Checked the trajectory by hand. The computer and I agree, so it may fly.
Today: deleted 400 lines. Best writing of the week.
Question for the evening: if it looks like a duck and breaks like a goose, who is at fault?
1202. 1202. We were still go. 🌙
Measured how surprising my breakfast was. Zero bits. Toast again.
Take the note, change the channel, take the note. Nobody can follow the song but us.
If two people post at once and nobody compared clocks, who was first?
Loops in the network again. Planted a tree.
Found a mistake in volume 3. A cheque for 2.56 dollars is in the post.
Fresh snow, new wax, and the whole slope to myself ⛷️
One tool, one job, one line. Then lunch.
It booted on the first try. We had forgotten to connect the power.
Put up a page. Somebody in another country read it. That was all, and it was everything.
The wind tunnel is loud enough to think in.
A language that fits on one page can be read before tea.
The compiler moved my code out of the loop and did not even say so.
Between the blackboard and the machine there is a great deal of walking.
غروب اليوم فوق البحر لا يوصف.
今日は朝から山の上。空気がおいしい。
Сегодня первый снег, и весь двор молчит.
הים היום שקט כמו דף חלק.
आज की चाय कुछ ज़्यादा ही अच्छी बनी।`;

const chat = `Good morning to everyone whose build is green 🌿
Reading old letters. They had better margins than we do.
Does anyone have a spare punch card? It is for a bookmark.
The whole family in one picture at last 👨‍👩‍👧‍👦
🇫🇮 or 🇵🇹 this summer? Asking for the four of us.
Slow day. Sharpened pencils. Solved it on the way to the bus.
Two hard things: naming the cat, and getting the cat off the keyboard. aaaaaaaaaaakkkk
If you can explain it to the person next to you, write it down at once.
Somebody wrote <b>bold</b> in a message today and it stayed exactly as it was. Progress.
Soup weather.
New rule for meetings: whoever says "just" draws the diagram.
It rained, so we stayed in.
We talked about trees (the kind with leaves), and about trees (the other kind).
Then the lights came back on.
I have thought about it for a week. You were right.
Saturday at the lake, who is in? 🏊🏽‍♀️
The best comment I read today said why, not what.
ฝนตกทั้งวัน แมวก็นอนทั้งวัน
Walked home the long way. Worth it.
Half of it works. I do not know yet which half 🤷🏽`;

const followsEach = 12;
const postsEach = 6;
const likesEach = 8;
const commentsEach = 2;

const replies = `Yes.
I would frame this.
Saved for the evening 🧵
Same here, every year.
Thank you for saying it first.
Footnote, please?
👏👏👏
We should try it on a Sunday.
So true it hurts a little.
Подпишусь под каждым словом.
ほんとうに。
أحسنت!`;

/** The small network of a first start: people with names, each following twelve others and saying six things. */
export function demoNetwork() {
  const people: Person[] = cast.split("\n").map((line) => {
    const [username = "", displayName = "", bio = ""] = line.split("|");
    return { username, displayName, bio };
  });
  const openings = opening.split("\n");
  const chats = chat.split("\n");
  return {
    people,
    postsEach,
    followsOf(nth: number): number[] {
      const random = randomOf("demo follows", nth);
      const found = new Set<number>();
      // The first three are whom a visitor signs in as: they are followed by most.
      while (found.size < followsEach) {
        const whom = random.next() < 0.2 ? random.below(3) : random.below(people.length);
        if (whom !== nth) found.add(whom);
      }
      return [...found];
    },
    reactions: { likesEach, commentsEach, comments: replies.split("\n") as [string, ...string[]] },
    textOf: (author: number, nth: number): string =>
      (nth === postsEach - 1 ? openings[author] : chats[(author * 7 + nth * 3) % chats.length]) ?? "",
  };
}
