//! The data plane: one task a media stream, which owns its session, both sockets and the timer.
