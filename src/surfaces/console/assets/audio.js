// Sound in and out: µ-law at 8 kHz over a socket, the loudspeaker and the microphone of this computer.

const WORKLET = new URL("./worklet.js", import.meta.url);

const DECODED = Float32Array.from({ length: 256 }, (_, byte) => {
  const code = ~byte & 0xff;
  const size = (((code & 0x0f) << 3) + 132) << ((code & 0x70) >> 4);
  return (code & 0x80 ? 132 - size : size - 132) / 32768;
});

/** Plays two tracks, each to its own ear. `levels([first, second])` gets their loudness, 0 to 1. */
export class Player {
  static async open(levels = () => {}) {
    const player = new Player();
    player.context = new AudioContext({ sampleRate: 8000, latencyHint: "interactive" });
    await player.context.audioWorklet.addModule(WORKLET);
    player.node = new AudioWorkletNode(player.context, "player", { numberOfInputs: 0, outputChannelCount: [2] });
    player.node.port.onmessage = ({ data }) => levels(data);
    player.node.connect(player.context.destination);
    await player.context.resume();
    return player;
  }

  /** `limit`: how many samples may wait at most, for a side that speaks in real time. */
  play(track, bytes, limit) {
    const samples = Float32Array.from(bytes, (byte) => DECODED[byte]);
    if (samples.length > 0) this.node.port.postMessage({ track, samples, limit }, [samples.buffer]);
  }

  clear(track) { this.node.port.postMessage({ track, clear: true }); }
  hear(track, on) { this.node.port.postMessage({ track, on }); }
  close() { this.context.close(); }
}

/** Hands over 20 ms of µ-law at a time. */
export class Microphone {
  static async open(frame) {
    if (!navigator.mediaDevices) throw new Error("The browser gives the microphone to https pages and to this machine's own only.");
    const microphone = new Microphone();
    try {
      const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
      microphone.stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      throw new Error(`The microphone cannot be used: ${error.message}. Allow it for this page.`);
    }
    microphone.context = new AudioContext();
    await microphone.context.audioWorklet.addModule(WORKLET);
    const node = new AudioWorkletNode(microphone.context, "microphone", { numberOfOutputs: 0 });
    node.port.onmessage = ({ data }) => frame(data);
    microphone.context.createMediaStreamSource(microphone.stream).connect(node);
    await microphone.context.resume();
    return microphone;
  }

  close() {
    for (const track of this.stream.getTracks()) track.stop();
    this.context.close();
  }
}

/** A socket that carries binary messages. `ended(reason)` comes once. */
export function open_socket(url, { message, ended }) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    let is_open = false;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => { is_open = true; resolve(socket); };
    socket.onmessage = ({ data }) => (typeof data === "string" ? message(null, JSON.parse(data)) : message(new Uint8Array(data)));
    socket.onclose = ({ reason }) => (is_open ? ended(reason) : reject(new Error("The audio connection was refused.")));
  });
}
