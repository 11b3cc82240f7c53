//! All contenders: a file each, and a line each in [`PEERS`].

mod by_hand;
mod fastwebsockets;
mod framewire;
mod framewire_bytes;
mod gather;
mod nago_wss;
mod nexus;
mod sockudo;
mod soketto;
mod tokio_websockets;
mod tungstenite;
mod web_socket;
mod ws_framer;
mod wtx;
mod yawc;

use crate::peer::Entry;

/// All contenders, in the order of the tables.
pub const PEERS: &[Entry] = &[
    Entry::of::<by_hand::ByHand>(),
    Entry::of::<framewire::Framewire<true>>(),
    Entry::of::<framewire_bytes::FramewireBytes>(),
    Entry::of::<fastwebsockets::FastWebSockets>(),
    Entry::of::<nago_wss::NagoWss>(),
    Entry::of::<nexus::Nexus>(),
    Entry::of::<sockudo::Sockudo>(),
    Entry::of::<soketto::Soketto>(),
    Entry::of::<tokio_websockets::TokioWebSockets>(),
    Entry::of::<tungstenite::Tungstenite>(),
    Entry::of::<web_socket::WebSocketCrate>(),
    Entry::of::<ws_framer::WsFramer>(),
    Entry::of::<wtx::Wtx>(),
    Entry::of::<yawc::Yawc>(),
];

/// Framewire in a host that fills its buffer with each read, whatever the connection wants.
pub const FILLING: Entry = Entry::of::<framewire::Framewire<false>>();
