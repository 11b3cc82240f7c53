//! A piece of work, and who can do it.

use std::hint::black_box;

/// One thing to be measured, and all who can do it.
pub struct Case {
    /// What tells it from the others of its group.
    pub name: String,
    /// Messages in one [`Work::run`].
    pub messages: usize,
    /// Bytes of payload in one [`Work::run`].
    pub bytes: usize,
    /// Who does it.
    pub contenders: Vec<Contender>,
}

/// A case that is not built yet: all of them together would not fit into any cache, nor always into memory.
pub struct Recipe {
    /// As [`Case::name`].
    pub name: String,
    build: Box<dyn Fn(&str) -> Case>,
}

/// Somebody who does the work.
pub struct Contender {
    /// How it is called in tables.
    pub name: String,
    /// What it is to the comparison.
    pub part: Part,
    /// The work.
    pub work: Box<dyn Work>,
}

/// What a contender is to the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Framewire, as users link it: what the ratios are of.
    Ours,
    /// Framewire in another way: another stage, another kernel.
    OursToo,
    /// What bounds the work from below: the loop written by hand, a plain XOR.
    Limit,
    /// Part of the work, to know what the rest costs: copying the bytes.
    Share,
    /// Somebody else's.
    Peer,
    /// Somebody else's, who leaves a part of the work out: does not count as the best peer.
    Lax,
}

/// Something that can be done again and again.
pub trait Work {
    /// Puts everything in place: is not measured.
    fn prepare(&mut self);
    /// Is measured.
    fn run(&mut self);
}

impl Recipe {
    /// A case of this name, built when it is asked for.
    pub fn new(name: impl Into<String>, build: impl Fn(&str) -> Case + 'static) -> Self {
        Self { name: name.into(), build: Box::new(build) }
    }

    /// The case.
    pub fn build(&self) -> Case {
        (self.build)(&self.name)
    }
}

impl Contender {
    /// Somebody called `name`.
    pub fn new(name: impl Into<String>, part: Part, work: impl Work + 'static) -> Self {
        Self { name: name.into(), part, work: Box::new(work) }
    }
}

/// Work that is a closure on a buffer, which is a fresh copy each time.
pub struct OnCopy<F> {
    original: std::rc::Rc<[u8]>,
    copy: Vec<u8>,
    run: F,
}

impl<F: FnMut(&mut [u8])> OnCopy<F> {
    /// Runs `run` on a copy of `original`, made in [`Work::prepare`].
    pub fn new(original: &std::rc::Rc<[u8]>, run: F) -> Self {
        Self { original: original.clone(), copy: original.to_vec(), run }
    }
}

impl<F: FnMut(&mut [u8])> Work for OnCopy<F> {
    fn prepare(&mut self) {
        self.copy.copy_from_slice(&self.original);
    }

    fn run(&mut self) {
        (self.run)(black_box(&mut self.copy));
    }
}

/// Makes the optimiser believe that these bytes are read. Pointer and length apart, as a host uses them: both at once
/// would be written to memory as two words and read back as one, for which a CPU waits longer than the rest of a short
/// message takes.
#[inline(always)]
pub fn used(bytes: &[u8]) {
    black_box(bytes.as_ptr());
    black_box(bytes.len());
}
