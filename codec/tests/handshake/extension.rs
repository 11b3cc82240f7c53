//! The parameters of permessage-deflate: the grammar, the responses of a server, and the responses that a client
//! accepts.

use core::str;

use framewire::extension::{
    DeflateOffer, DeflateParams, DeflatePolicy, DeflateResponse, ExtensionError, negotiate, parse, verify,
};
use quickcheck::{Arbitrary, Gen, quickcheck};

#[test]
fn grammar() {
    let cases = [
        ("", Ok("")),
        (" , ,\t,", Ok("")),
        ("a", Ok("a")),
        ("a,b", Ok("a|b")),
        (", a ,, b ,", Ok("a|b")),
        ("a;b", Ok("a b")),
        ("a ; b = c ;d=\"e\"\t,f;g", Ok("a b=c d=e|f g")),
        (r#"a; b="\1\5""#, Ok("a b=15")),
        ("!#$%&'*+-.^_`|~;x", Ok("!#$%&'*+-.^_`|~ x")),
        ("a;", Err(())),
        ("a;;b", Err(())),
        (";b", Err(())),
        ("a b", Err(())),
        ("a=b", Err(())),
        ("a; b=", Err(())),
        ("a; b c", Err(())),
        ("a; =c", Err(())),
        ("a; b=\"c", Err(())),
        ("a; b=\"\"", Err(())),
        ("a; b=\"c d\"", Err(())),
        ("a; b=\"c,d\"", Err(())),
        ("a; b=\"c\"d", Err(())),
        (r#"a; b="c\"#, Err(())),
        (r#"a; b="\\""#, Err(())),
        ("a; b='c d'", Err(())),
        ("\"a\"", Err(())),
        ("a, b;", Err(())),
        ("\u{e4}", Err(())),
        ("a; b=\u{e4}", Err(())),
        ("a\r\n", Err(())),
        ("a\0", Err(())),
    ];
    for (value, expected) in cases {
        let read: Result<Vec<_>, _> = parse(value).collect();
        let read = read.map(|list| {
            let list = list.iter().map(|element| {
                let params = element.params().map(|param| match param.value {
                    Some(value) => format!(" {}={value}", param.name),
                    None => format!(" {}", param.name),
                });
                format!("{}{}", element.name(), params.collect::<String>())
            });
            list.collect::<Vec<_>>().join("|")
        });
        assert_eq!(read, expected.map(str::to_owned).map_err(|()| ExtensionError::Malformed), "{value:?}");
    }
}

/// The responses of a server, for each policy.
#[test]
fn answers() {
    let free = DeflatePolicy::default();
    let own_10 = DeflatePolicy { server_max_window_bits: 10, ..free };
    let own_8 = DeflatePolicy { server_max_window_bits: 8, ..free }; // taken as 9
    let peer_10 = DeflatePolicy { client_max_window_bits: 10, ..free };
    let fresh = DeflatePolicy { server_no_context_takeover: true, client_no_context_takeover: true, ..free };
    let cases = [
        ("", &free, None),
        ("mux", &free, None),
        ("Permessage-Deflate", &free, None),
        ("D", &free, Some("D")),
        ("mux; x=y, D", &free, Some("D")),
        ("D; server_no_context_takeover", &free, Some("D; server_no_context_takeover")),
        ("D; client_no_context_takeover", &free, Some("D; client_no_context_takeover")),
        ("D", &fresh, Some("D; server_no_context_takeover; client_no_context_takeover")),
        // The server's window.
        ("D; server_max_window_bits=15", &free, Some("D; server_max_window_bits=15")),
        ("D; server_max_window_bits=9", &free, Some("D; server_max_window_bits=9")),
        ("D; server_max_window_bits=\"9\"", &free, Some("D; server_max_window_bits=9")),
        ("D; server_max_window_bits=8", &free, None),
        ("D; server_max_window_bits=8, D", &free, Some("D")),
        ("D", &own_10, Some("D; server_max_window_bits=10")),
        ("D; server_max_window_bits=12", &own_10, Some("D; server_max_window_bits=10")),
        ("D; server_max_window_bits=9", &own_10, Some("D; server_max_window_bits=9")),
        ("D", &own_8, Some("D; server_max_window_bits=9")),
        // The client's.
        ("D; client_max_window_bits", &free, Some("D")),
        ("D; client_max_window_bits=15", &free, Some("D")),
        ("D; client_max_window_bits=12", &free, Some("D; client_max_window_bits=12")),
        ("D; client_max_window_bits", &peer_10, Some("D; client_max_window_bits=10")),
        ("D; client_max_window_bits=9", &peer_10, Some("D; client_max_window_bits=9")),
        ("D", &peer_10, None),
        ("D, D; client_max_window_bits", &peer_10, Some("D; client_max_window_bits=10")),
        // Offers that are declined.
        ("D; x", &free, None),
        ("D; x, D", &free, Some("D")),
        ("D; server_no_context_takeover; server_no_context_takeover", &free, None),
        ("D; server_no_context_takeover=1", &free, None),
        ("D; client_no_context_takeover=true", &free, None),
        ("D; client_max_window_bits; client_max_window_bits=10", &free, None),
        ("D; server_max_window_bits=10; server_max_window_bits=10", &free, None),
        ("D; server_max_window_bits", &free, None),
        ("D; server_max_window_bits=7", &free, None),
        ("D; server_max_window_bits=16", &free, None),
        ("D; server_max_window_bits=09", &free, None),
        ("D; server_max_window_bits=1", &free, None),
        ("D; server_max_window_bits=100000000000000000000", &free, None),
        ("D; server_max_window_bits=-9", &free, None),
        ("D; client_max_window_bits=0", &free, None),
        ("D; Client_Max_Window_Bits", &free, None),
    ];
    for (offered, policy, expected) in cases {
        let offered = offered.replace('D', "permessage-deflate");
        let expected = expected.map(|answer| answer.replace('D', "permessage-deflate"));
        let answer = negotiate([offered.as_str()], policy).unwrap();
        assert_eq!(answer.map(|answer| answer.to_string()), expected, "{offered} {policy:?}");
        // Over several lines it is the same.
        let answer = negotiate(offered.split(','), policy).unwrap();
        assert_eq!(answer.map(|answer| answer.to_string()), expected, "{offered} {policy:?}");
    }
    for value in ["permessage-deflate;", "permessage-deflate, a=b"] {
        assert_eq!(negotiate([value], &free), Err(ExtensionError::Malformed), "{value:?}");
    }
}

/// The responses that a client accepts, for each offer.
#[test]
fn checks() {
    use ExtensionError::*;
    let plain = DeflateOffer::default();
    let limits = DeflateOffer { client_max_window_bits: Some(15), ..plain };
    let hints = DeflateOffer { client_no_context_takeover: true, client_max_window_bits: Some(12), ..plain };
    let asks = DeflateOffer { server_no_context_takeover: true, server_max_window_bits: Some(10), ..plain };
    let params = |s, c, sb, cb| DeflateParams {
        server_no_context_takeover: s,
        client_no_context_takeover: c,
        server_max_window_bits: sb,
        client_max_window_bits: cb,
    };
    let cases = [
        ("", &[plain][..], Ok(None)),
        ("D", &[plain], Ok(Some(params(false, false, 15, 15)))),
        ("D", &[], Err(Unexpected)),
        ("mux", &[plain], Err(Unexpected)),
        ("D, D", &[plain], Err(Unexpected)),
        ("D; x", &[plain], Err(InvalidParameter)),
        ("D;", &[plain], Err(Malformed)),
        // Not asked for, and allowed.
        (
            "D; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=8",
            &[plain],
            Ok(Some(params(true, true, 8, 15))),
        ),
        // Not asked for, and not allowed.
        ("D; client_max_window_bits=15", &[plain], Err(InvalidParameter)),
        ("D; client_max_window_bits=15", &[plain, limits], Ok(Some(params(false, false, 15, 15)))),
        ("D; client_max_window_bits=8", &[limits], Ok(Some(params(false, false, 15, 8)))),
        ("D; client_max_window_bits", &[limits], Err(InvalidParameter)),
        ("D; client_max_window_bits=16", &[limits], Err(InvalidParameter)),
        // A hint binds even if the response does not repeat it.
        ("D", &[hints], Ok(Some(params(false, true, 15, 12)))),
        ("D; client_max_window_bits=13", &[hints], Err(InvalidParameter)),
        // The server must grant all that was asked of it.
        ("D", &[asks], Err(InvalidParameter)),
        ("D; server_no_context_takeover", &[asks], Err(InvalidParameter)),
        ("D; server_max_window_bits=10", &[asks], Err(InvalidParameter)),
        ("D; server_no_context_takeover; server_max_window_bits=11", &[asks], Err(InvalidParameter)),
        (
            "D; server_max_window_bits=9; server_no_context_takeover",
            &[asks],
            Ok(Some(params(true, false, 9, 15))),
        ),
        ("D", &[asks, plain], Ok(Some(params(false, false, 15, 15)))),
    ];
    for (answer, offers, expected) in cases {
        let answer = answer.replace('D', "permessage-deflate");
        assert_eq!(verify([answer.as_str()], offers), expected, "{answer} {offers:?}");
    }
    assert_eq!(DeflateParams::default(), params(false, false, 15, 15));
}

#[derive(Clone, Debug)]
struct AnyOffer(DeflateOffer);

impl Arbitrary for AnyOffer {
    fn arbitrary(g: &mut Gen) -> Self {
        let bits = |g: &mut Gen| bool::arbitrary(g).then(|| 8 + u8::arbitrary(g) % 8);
        Self(DeflateOffer {
            server_no_context_takeover: bool::arbitrary(g),
            client_no_context_takeover: bool::arbitrary(g),
            server_max_window_bits: bits(g),
            client_max_window_bits: bits(g),
        })
    }
}

quickcheck! {
    fn offers_round_trip(offer: AnyOffer) -> bool {
        let text = offer.0.to_string();
        let element = parse(&text).next().unwrap().unwrap();
        DeflateOffer::parse(&element) == Ok(offer.0)
    }

    fn both_sides_agree(offers: Vec<AnyOffer>, server: bool, client: bool, bits: (u8, u8)) -> bool {
        let policy = DeflatePolicy {
            server_no_context_takeover: server,
            client_no_context_takeover: client,
            server_max_window_bits: bits.0,
            client_max_window_bits: bits.1,
        };
        let offers: Vec<DeflateOffer> = offers.into_iter().map(|offer| offer.0).collect();
        let header: Vec<String> = offers.iter().map(DeflateOffer::to_string).collect();
        let answer = negotiate([header.join(", ").as_str()], &policy).unwrap();
        let Some(answer) = answer else { return true };
        let element = answer.to_string();
        let element = parse(&element).next().unwrap().unwrap();
        let params = answer.params();
        DeflateResponse::parse(&element) == Ok(answer)
            && verify([answer.to_string().as_str()], &offers).is_ok_and(|agreed| agreed.is_some())
            && offers.iter().any(|offer| offer.check(&answer) == Ok(params))
            && (9..=15).contains(&params.server_max_window_bits)
            && params.server_max_window_bits <= policy.server_max_window_bits.clamp(9, 15)
            && params.client_max_window_bits <= policy.client_max_window_bits.clamp(9, 15)
    }

    fn never_panics(value: String, edits: Vec<(usize, u8)>) -> bool {
        let mut edited = b"permessage-deflate; server_max_window_bits=\"1\\0\"; client_max_window_bits, x;y=z".to_vec();
        for (at, byte) in edits {
            let at = at % edited.len();
            edited[at] = byte & 0x7f;
        }
        for value in [value.as_str(), str::from_utf8(&edited).unwrap()] {
            let _ = negotiate([value], &DeflatePolicy::default());
            let _ = verify([value], &[DeflateOffer::default()]);
            let _ = parse(value).flatten().flat_map(|element| element.params()).count();
        }
        true
    }
}
