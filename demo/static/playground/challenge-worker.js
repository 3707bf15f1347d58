// Solves a challenge: for each puzzle the first number that, behind the salt, gives a SHA-256 with the beginning asked
// for. The hash is written out because crypto.subtle answers each of millions of calls later, not at once.

const fraction = (root) => ((root % 1) * 2 ** 32) | 0;
const primes = [];
for (let number = 2; primes.length < 64; number++) if (primes.every((prime) => number % prime)) primes.push(number);
const ROUNDS = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
const START = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
const words = new Int32Array(64);

const turned = (word, bits) => (word >>> bits) | (word << (32 - bits));

/** The first 32 bits of the SHA-256 (FIPS 180-4) of `text`: at most 55 ASCII characters, which is one block. */
function beginning(text) {
  words.fill(0, 0, 15);
  for (let i = 0; i < text.length; i++) words[i >> 2] |= text.charCodeAt(i) << (24 - 8 * (i & 3));
  words[text.length >> 2] |= 0x80 << (24 - 8 * (text.length & 3));
  words[15] = 8 * text.length;
  for (let i = 16; i < 64; i++) {
    const [early, late] = [words[i - 15], words[i - 2]];
    const first = turned(early, 7) ^ turned(early, 18) ^ (early >>> 3);
    const second = turned(late, 17) ^ turned(late, 19) ^ (late >>> 10);
    words[i] = words[i - 16] + first + words[i - 7] + second;
  }
  let [a, b, c, d, e, f, g, h] = START;
  for (let i = 0; i < 64; i++) {
    const choice = (e & f) ^ (~e & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const first = (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + choice + ROUNDS[i] + words[i]) | 0;
    const second = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + majority) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  return (START[0] + a) >>> 0;
}

/** Hexadecimal digits that follow from `seed`: by xorshift32, from its FNV-1a hash. */
function generated(seed, length) {
  let state = 0x811c9dc5;
  for (const character of seed) state = Math.imul(state ^ character.charCodeAt(0), 0x01000193);
  let text = "";
  while (text.length < length) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    text += (state >>> 0).toString(16).padStart(8, "0");
  }
  return text.slice(0, length);
}

function solution(salt, target) {
  const [wanted, rest] = [parseInt(target, 16), 32 - 4 * target.length];
  for (let number = 0; ; number++) if (beginning(`${salt}${number}`) >>> rest === wanted) return number;
}

onmessage = ({ data: { token, c: count, s: saltLength, d: difficulty } }) => {
  const puzzles = Array.from({ length: count }, (_, i) => `${token}${i + 1}`);
  postMessage(puzzles.map((seed) => solution(generated(seed, saltLength), generated(`${seed}d`, difficulty))));
};
