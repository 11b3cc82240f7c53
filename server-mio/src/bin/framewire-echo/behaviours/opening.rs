//! The opening handshake of a behaviour, right or wrong.

use super::{
    Context, linger,
    plan::{Accept, Ending, Opening, Plan},
};
use framewire::handshake::{BuildError, PlainResponse, Upgrade, UpgradeResponse, accept_key};
use framewire_mio::{Detached, Subprotocols, Wait};
use std::{
    io::Write,
    time::{Duration, Instant},
};

/// Responds to a request. Returns the connection if it is a WebSocket now.
pub(super) fn open(
    plan: &Plan,
    mut stream: Detached,
    upgrade: &Upgrade<'_, '_>,
    context: &Context<'_>,
) -> Option<Detached> {
    let opening = &plan.opening;
    if !pause(&mut stream, opening.delay, context) {
        context.responded(upgrade, b"");
        return None;
    }
    let (mut response, mut is_open) = match response(opening, upgrade, context) {
        Ok(response) => response,
        Err(error) => {
            log::error!("the response of a behaviour is not valid: {error}");
            return None;
        }
    };
    if let Some(cut) = opening.cut {
        response.truncate(cut);
        is_open = false;
    }
    context.responded(upgrade, &response);
    stream.set_write_timeout(Some(context.handshake_timeout));
    if let Err(error) = stream.write_all(&response) {
        log::debug!("a handshake was lost: {error}");
        return None;
    }
    if is_open {
        return Some(stream);
    }
    if plan.ending == Some(Ending::Abort) && opening.cut.is_some() {
        let _ = stream.abort();
    } else {
        linger(stream, context.close_timeout);
    }
    None
}

/// The response to a request, and whether it opens a WebSocket.
fn response(
    opening: &Opening,
    upgrade: &Upgrade<'_, '_>,
    context: &Context<'_>,
) -> Result<(Vec<u8>, bool), BuildError> {
    if let Some(token) = &opening.bearer {
        let given = upgrade.headers().get("authorization").and_then(|value| std::str::from_utf8(value).ok());
        let given = given.and_then(|value| value.split_once(' '));
        if !given
            .is_some_and(|(scheme, given)| scheme.eq_ignore_ascii_case("bearer") && given.trim() == token)
        {
            let headers = [("WWW-Authenticate", "Bearer realm=\"framewire-echo\"")];
            return Ok((PlainResponse::new(401).extra_headers(&headers).to_vec()?, false));
        }
    }
    if let Some(status) = opening.status {
        let location = opening.location.as_deref().map(|path| ("Location", path));
        return Ok((PlainResponse::new(status).extra_headers(location.as_slice()).to_vec()?, false));
    }
    let asked = match &context.config.subprotocols {
        Subprotocols::Any => upgrade.subprotocols().next(),
        Subprotocols::Only(ours) => upgrade.subprotocols().find(|name| ours.iter().any(|our| our == name)),
    };
    let accept = match opening.accept {
        Accept::Wrong => accept_key("the key of another client"),
        Accept::Right | Accept::Missing => upgrade.key().accept(),
    };
    // It checks nothing against the request, which is the point.
    let response =
        UpgradeResponse::new(accept).subprotocol(opening.subprotocol.as_deref().or(asked)).to_vec()?;
    let mut lines: Vec<&[u8]> = response.split_inclusive(|&byte| byte == b'\n').collect();
    if opening.accept == Accept::Missing {
        lines.retain(|line| !line.starts_with(b"Sec-WebSocket-Accept:"));
    }
    let extension = opening.extension.as_ref().map(|name| format!("Sec-WebSocket-Extensions: {name}\r\n"));
    if let Some(line) = &extension {
        lines.insert(lines.len() - 1, line.as_bytes());
    }
    Ok((lines.concat(), true))
}

/// Waits before the response. Returns false if the client leaves meanwhile, or the server stops.
fn pause(stream: &mut Detached, time: Duration, context: &Context<'_>) -> bool {
    let until = Instant::now() + time;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if context.crew.is_stopping() || stream.peer_has_closed() {
            return false;
        }
        if left.is_zero() {
            return true;
        }
        if stream.wait(Wait::default(), Some(left)).is_err() {
            return false;
        }
    }
}
