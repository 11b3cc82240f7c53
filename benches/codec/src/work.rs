//! A piece of work, and the contenders that can do it.

use std::hint::black_box;

/// One piece of work, and all contenders that can do it.
pub struct Case {
    /// Its name, which is unique in its group.
    pub name: String,
    /// Messages in one [`Work::run`].
    pub messages: usize,
    /// Bytes of payload in one [`Work::run`].
    pub bytes: usize,
    /// The contenders.
    pub contenders: Vec<Contender>,
}

/// A case that is not built yet: all cases together would not fit into any cache, and perhaps not into memory.
pub struct Recipe {
    /// As [`Case::name`].
    pub name: String,
    build: Box<dyn Fn(&str) -> Case>,
}

/// A way to do the work.
pub struct Contender {
    /// Its name in tables.
    pub name: String,
    /// Its part in the comparison.
    pub part: Part,
    /// The work.
    pub work: Box<dyn Work>,
}

/// The part of a contender in the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Framewire as users link it: the base of the ratios.
    Ours,
    /// Framewire in another way, such as another stage or kernel.
    OursToo,
    /// The lower bound of the work: the loop written by hand, a plain XOR.
    Limit,
    /// A part of the work, to know what the rest costs: copying the bytes.
    Share,
    /// Another crate.
    Peer,
    /// Another crate that leaves out a part of the work, and so does not count as the best peer.
    Lax,
}

/// Something that can be repeated.
pub trait Work {
    /// Prepares a run. Not measured.
    fn prepare(&mut self);
    /// Runs. Measured.
    fn run(&mut self);
}

impl Recipe {
    /// A case of this name, which is built when it is needed.
    pub fn new(name: impl Into<String>, build: impl Fn(&str) -> Case + 'static) -> Self {
        Self { name: name.into(), build: Box::new(build) }
    }

    /// Builds the case.
    pub fn build(&self) -> Case {
        (self.build)(&self.name)
    }
}

impl Contender {
    /// A contender called `name`.
    pub fn new(name: impl Into<String>, part: Part, work: impl Work + 'static) -> Self {
        Self { name: name.into(), part, work: Box::new(work) }
    }
}

/// Work that is a closure on a buffer, which is a fresh copy in each run.
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

/// Makes the optimiser believe that these bytes are read. Pointer and length are passed separately, as a host uses them:
/// together they would be written to memory as two words and read back as one, for which a CPU waits longer than the rest
/// of a short message takes.
#[inline(always)]
pub fn used(bytes: &[u8]) {
    black_box(bytes.as_ptr());
    black_box(bytes.len());
}
