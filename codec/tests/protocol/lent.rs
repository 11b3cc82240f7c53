//! A connection whose host lends the memory for control frames that are split across reads, as the C library does.

use framewire::{
    Connection, Event, Role,
    internal::{ControlRoom, LentClient, LentServer},
};
use framewire_testing::wire::*;

#[test]
fn split_control_frames_are_in_the_room() {
    fn role<S: Role, L: Role>(
        receive: impl Fn(&mut Connection<L>, &mut ControlRoom, &mut [u8], &mut Vec<Vec<u8>>),
    ) {
        let long = [b'x'; 125];
        let wire = cat(&[
            to::<S>(PING, b"one"),
            to::<S>(PONG, b""),
            to::<S>(TEXT & MORE, b"te"),
            to::<S>(PING, &long),
            to::<S>(CONTINUATION, b"xt"),
            to::<S>(PONG, b"two"),
            to::<S>(CLOSE, &closing(1001, "bis bald")),
        ]);
        let expected = [&b"one"[..], b"", &long, b"two", b"\x03\xe9bis bald"];
        for size in 1..=wire.len() {
            let mut connection = Connection::<L>::new();
            let (mut room, mut seen) = (ControlRoom::new(), Vec::new());
            for piece in wire.clone().chunks_mut(size) {
                receive(&mut connection, &mut room, piece, &mut seen);
            }
            assert_eq!(seen, expected, "in pieces of {size}");
        }
    }
    macro_rules! role {
        ($role:ty, $lent:ty) => {
            role::<$role, $lent>(|connection, room, piece, seen| {
                let mut from = 0;
                loop {
                    let mut input = &mut piece[from..]; // anew: an event also borrows the room
                    let len = input.len();
                    let Some(event) = connection.receive_in(Some(&mut *room), &mut input).unwrap() else {
                        break;
                    };
                    if let Event::Ping(payload) | Event::Pong(payload) | Event::Close(payload) = event {
                        seen.push(payload.to_vec());
                    }
                    from += len - input.len();
                }
            });
        };
    }
    role!(framewire::Server, LentServer);
    role!(framewire::Client, LentClient);
}

#[test]
#[cfg(target_pointer_width = "64")]
fn it_is_no_larger() {
    assert!(size_of::<Connection<LentServer>>() <= 64 && size_of::<ControlRoom>() <= 128);
}
