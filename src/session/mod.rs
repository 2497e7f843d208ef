//! One live media stream of a call as a sans-IO state machine: state, input, output, timers, playout.
