//! Text: unmasked and validated in two passes, in blocks, and in one pass.

use crate::{
    batch::{Random, Size},
    work::{Case, Contender, OnCopy, Part, Recipe, used},
};
use framewire::{
    internal::utf8_kernels,
    mask::{self, Key},
    utf8,
};
use std::rc::Rc;

const SIZES: [Size; 16] = [
    Size::Of(5),
    Size::Of(16),
    Size::Of(32),
    Size::Of(64),
    Size::Of(125),
    Size::UpTo(125),
    Size::Of(128),
    Size::Of(160),
    Size::Of(192),
    Size::Of(256),
    Size::Of(512),
    Size::Of(1 << 10),
    Size::Of(4 << 10),
    Size::Of(16 << 10),
    Size::Of(64 << 10),
    Size::Of(1 << 20),
];

/// Names, and texts of letters of one length each, apart from spaces.
const SCRIPTS: [(&str, &str); 4] = [
    ("ASCII", "abcdefghijklmnopqrstuvwxyz ABCDEFGH0123456789"),
    ("Cyrillic", "абвгдежзийклмнопрстуфхцчшщъыьэюя абвгдежз"),
    ("CJK", "日本語漢字表記一覧中文汉语拼音字母한국어"),
    ("emoji", "😀🎉🚀🌍🦀🔥🎯🧪"),
];

pub(super) fn cases() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for (script, letters) in SCRIPTS {
        for size in SIZES {
            let name = format!("masked, {script}, {}", size.name());
            recipes.push(Recipe::new(name, move |name| masked(name, &Texts::new(letters, size))));
        }
    }
    for (script, letters) in SCRIPTS {
        for size in SIZES {
            let name = format!("plain, {script}, {}", size.name());
            recipes.push(Recipe::new(name, move |name| plain(name, &Texts::new(letters, size))));
        }
    }
    recipes
}

/// Receiving as a server: unmask and validate.
fn masked(name: &str, texts: &Rc<Texts>) -> Case {
    use Part::{Limit, Ours, OursToo, Peer};
    let mut contenders = vec![
        texts.masked("unmasking alone", Limit, |key, text| {
            mask::apply(key, text);
            true
        }),
        texts.masked("framewire", Ours, |key, text| utf8::validate_masked(key, text).is_ok()),
    ];
    for kernel in utf8_kernels() {
        contenders.push(texts.masked(format!("kernel {}", kernel.name()), OursToo, move |key, text| {
            kernel.validate_masked(key, text).is_ok()
        }));
    }
    contenders.extend([
        texts.masked("two passes", OursToo, move |key, text| {
            mask::apply(key, text);
            utf8::validate(text).is_ok()
        }),
        texts.masked("unmask, simdutf8", Peer, |key, text| {
            mask::apply(key, text);
            simdutf8::basic::from_utf8(text).is_ok()
        }),
        texts.masked("the same in blocks", Peer, blocks),
        texts.masked("unmask, std", Peer, |key, text| {
            mask::apply(key, text);
            std::str::from_utf8(text).is_ok()
        }),
    ]);
    texts.case(name, contenders)
}

/// Receiving as a client: validate.
fn plain(name: &str, texts: &Rc<Texts>) -> Case {
    use Part::{Ours, OursToo, Peer};
    let mut contenders = vec![texts.plain("framewire", Ours, |text| utf8::validate(text).is_ok())];
    for kernel in utf8_kernels() {
        contenders.push(
            texts.plain(format!("kernel {}", kernel.name()), OursToo, move |text| {
                kernel.validate(text).is_ok()
            }),
        );
    }
    contenders.extend([
        texts.plain("simdutf8", Peer, |text| simdutf8::basic::from_utf8(text).is_ok()),
        texts.plain("std", Peer, |text| std::str::from_utf8(text).is_ok()),
    ]);
    texts.case(name, contenders)
}

/// Unmasks 4 KiB at a time, and validates them while they are in the first-level cache, up to the last complete letter.
fn blocks(key: Key, text: &mut [u8]) -> bool {
    const BLOCK: usize = 4 << 10;
    let mut checked = 0;
    for start in (0..text.len()).step_by(BLOCK) {
        let end = text.len().min(start + BLOCK);
        mask::apply(key, &mut text[start..end]); // blocks are whole keys
        let is_last = end == text.len();
        let begins_letter = |&at: &usize| is_last || text[at] & 0xC0 != 0x80;
        let whole = if is_last { end } else { (checked..end).rev().find(begins_letter).unwrap_or(end) };
        if simdutf8::basic::from_utf8(&text[checked..whole]).is_err() {
            return false;
        }
        checked = whole;
    }
    true
}

/// Texts, one after the other.
struct Texts {
    plain: Rc<[u8]>,
    masked: Rc<[u8]>,
    /// Lengths and keys.
    texts: Vec<(usize, Key)>,
}

impl Texts {
    fn new(letters: &str, size: Size) -> Rc<Self> {
        let mut random = Random::new();
        let letters: Vec<char> = letters.chars().collect();
        let count = ((64 << 10) / (size.max() + 1)).clamp(1, 1024);
        let (mut plain, mut masked, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let len = size.next(&mut random);
            let mut text = String::new();
            while text.len() < len {
                let letter = letters[random.below(letters.len())];
                text.push(if text.len() + letter.len_utf8() > len { 'x' } else { letter });
            }
            let key = Key::new((random.next() as u32).to_ne_bytes());
            let start = masked.len();
            plain.extend_from_slice(text.as_bytes());
            masked.extend_from_slice(text.as_bytes());
            mask::apply(key, &mut masked[start..]);
            texts.push((len, key));
        }
        Rc::new(Self { plain: plain.into(), masked: masked.into(), texts })
    }

    fn masked(
        self: &Rc<Self>,
        name: impl Into<String>,
        part: Part,
        validate: impl Fn(Key, &mut [u8]) -> bool + 'static,
    ) -> Contender {
        let texts = self.clone();
        Contender::new(
            name,
            part,
            OnCopy::new(&self.masked, move |mut rest: &mut [u8]| {
                for &(len, key) in &texts.texts {
                    let (text, behind) = std::mem::take(&mut rest).split_at_mut(len);
                    rest = behind;
                    assert!(validate(key, text), "sound text");
                    used(text);
                }
            }),
        )
    }

    fn plain(
        self: &Rc<Self>,
        name: impl Into<String>,
        part: Part,
        validate: impl Fn(&[u8]) -> bool + 'static,
    ) -> Contender {
        let texts = self.clone();
        Contender::new(
            name,
            part,
            OnCopy::new(&self.plain, move |bytes: &mut [u8]| {
                let mut rest = &*bytes;
                for &(len, _) in &texts.texts {
                    let (text, behind) = rest.split_at(len);
                    rest = behind;
                    assert!(validate(text), "sound text");
                    used(text);
                }
            }),
        )
    }

    fn case(&self, name: &str, contenders: Vec<Contender>) -> Case {
        Case { name: name.into(), messages: self.texts.len(), bytes: self.plain.len(), contenders }
    }
}
