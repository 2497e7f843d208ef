// Runs on the audio thread: plays what comes in pieces, and turns the microphone into frames of 20 ms of µ-law at 8 kHz.

const LEVEL_EVERY = 480;

/** Two tracks side by side: the first to the left, the second to the right. Messages: {track, samples}, {track, clear}, {track, on}. */
class Player extends AudioWorkletProcessor {
  constructor() {
    super();
    this.tracks = [0, 1].map(() => ({ queue: [], at: 0, on: true, energy: 0 }));
    this.since = 0;
    this.port.onmessage = ({ data }) => {
      const track = this.tracks[data.track];
      if (data.samples) track.queue.push(data.samples);
      if (data.clear) { track.queue = []; track.at = 0; }
      if (data.on !== undefined) track.on = data.on;
      // The live side must not fall behind: what is older than the limit is skipped.
      if (data.limit) {
        let waiting = track.queue.reduce((sum, piece) => sum + piece.length, 0) - track.at;
        while (waiting > data.limit && track.queue.length > 1) { waiting -= track.queue.shift().length - track.at; track.at = 0; }
      }
    };
  }

  process(_inputs, [output]) {
    this.tracks.forEach((track, side) => {
      const out = output[side] ?? output[0];
      for (let place = 0; place < out.length; place += 1) {
        let sample = 0;
        if (track.queue.length > 0) {
          sample = track.queue[0][track.at];
          track.at += 1;
          if (track.at >= track.queue[0].length) { track.queue.shift(); track.at = 0; }
        }
        track.energy += sample * sample;
        out[place] = track.on ? sample : 0;
      }
    });
    this.since += output[0].length;
    if (this.since >= LEVEL_EVERY) {
      this.port.postMessage(this.tracks.map((track) => Math.sqrt(track.energy / this.since)));
      for (const track of this.tracks) track.energy = 0;
      this.since = 0;
    }
    return true;
  }
}

const RATE = 8000;
const FRAME = 160;
const TAPS = 63;

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    // A windowed sinc: what is above 3.4 kHz would fold back into the voice.
    const cut = 3400 / sampleRate;
    this.taps = Float32Array.from({ length: TAPS }, (_, n) => {
      const x = n - (TAPS - 1) / 2;
      const sinc = x === 0 ? 2 * cut : Math.sin(2 * Math.PI * cut * x) / (Math.PI * x);
      return sinc * (0.54 - 0.46 * Math.cos((2 * Math.PI * n) / (TAPS - 1)));
    });
    this.past = new Float32Array(TAPS);
    this.head = 0;
    this.step = sampleRate / RATE;
    this.next = 0;
    this.count = 0;
    this.frame = new Uint8Array(FRAME);
    this.filled = 0;
  }

  process([input]) {
    for (const sample of input[0] ?? []) {
      this.past[this.head] = sample;
      this.head = (this.head + 1) % TAPS;
      this.count += 1;
      if (this.count >= this.next) {
        this.next += this.step;
        this.put(this.filtered());
      }
    }
    return true;
  }

  filtered() {
    let sum = 0;
    for (let n = 0; n < TAPS; n += 1) sum += this.taps[n] * this.past[(this.head + n) % TAPS];
    return sum;
  }

  put(sample) {
    this.frame[this.filled] = to_mulaw(sample);
    this.filled += 1;
    if (this.filled < FRAME) return;
    this.port.postMessage(this.frame);
    this.frame = new Uint8Array(FRAME);
    this.filled = 0;
  }
}

/** G.711 µ-law of a sample from -1 to 1. */
function to_mulaw(sample) {
  const pcm = Math.max(-1, Math.min(1, sample)) * 32767;
  const sign = pcm < 0 ? 0x80 : 0;
  const size = Math.min(Math.abs(Math.trunc(pcm)), 32635) + 132;
  const exponent = 31 - Math.clz32(size) - 7;
  return ~(sign | (exponent << 4) | ((size >> (exponent + 3)) & 0x0f)) & 0xff;
}

registerProcessor("player", Player);
registerProcessor("microphone", Microphone);
