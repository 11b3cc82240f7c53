//! Smaller bounds for tests that also run under Miri, which takes a thousand times as long as the processor.

/// All of these; under Miri only the first, and every `n`th after it.
pub fn thin<T>(n: usize, all: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    all.into_iter().step_by(if cfg!(miri) { n } else { 1 })
}
