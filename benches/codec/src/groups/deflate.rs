//! permessage-deflate: messages to compressed frames, and back. All contenders use the same level of zlib, and all happen to
//! use the same zlib: zlib-rs.

use crate::{
    batch::Arrival,
    batch::{Batch, Compression, Content, Size},
    peers::PEERS,
    work::{Case, Recipe},
};

const SIZES: [Size; 4] = [Size::Of(100), Size::Of(1 << 10), Size::Of(16 << 10), Size::Of(1 << 20)];

pub(super) fn cases() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for takeover in [true, false] {
        let compression = Compression { takeover };
        let context = if takeover { "context taken over" } else { "each by itself" };
        for size in SIZES {
            let name = format!("compress, {context}, {}", size.name());
            recipes.push(Recipe::new(name, move |name| {
                let batch = Batch::new(Content::Json, size, None);
                let contenders = PEERS.iter().filter_map(|peer| peer.encode(&batch, Some(compression)));
                Case {
                    name: name.into(),
                    messages: batch.payloads.len(),
                    bytes: batch.bytes(),
                    contenders: contenders.collect(),
                }
            }));
        }
        for size in SIZES {
            let name = format!("inflate, {context}, {}", size.name());
            recipes.push(Recipe::new(name, move |name| {
                let batch = Batch::new(Content::Json, size, Some(compression));
                let contenders =
                    PEERS.iter().filter_map(|peer| peer.decode(&batch, Arrival::Whole, Some(compression)));
                Case {
                    name: name.into(),
                    messages: batch.payloads.len(),
                    bytes: batch.bytes(),
                    contenders: contenders.collect(),
                }
            }));
        }
    }
    recipes
}
