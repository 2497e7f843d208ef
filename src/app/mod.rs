//! The control plane: one use case a file, the registry of live calls, the journal's one writer.
