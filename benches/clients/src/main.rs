//! Leads a client on another library through all cases of `framewire-echo --check-client`, in Autobahn's protocol:
//! `framewire-peer-clients LIBRARY ws://HOST:PORT AGENT`. Each library has its default settings. AGENT is the name in the report.

mod fastwebsockets;
mod tokio_websockets;
mod tungstenite;
mod yawc;

use std::{env, error::Error, future::Future, time::Duration};

/// How a connection ended, which only the server judges; and the first text of those that are not echoed.
type Ended = Result<Option<String>, Box<dyn Error>>;

/// What to do with messages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Echo,
    /// Return the first.
    Ask,
}

/// More than the server takes for a case.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().collect();
    let [_, library, url, agent] = &words[..] else {
        return Err("usage: framewire-peer-clients LIBRARY ws://HOST:PORT AGENT".into());
    };
    let host = url.trim_start_matches("ws://").trim_end_matches('/').to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match &**library {
            "tungstenite" => {
                lead(&host, agent, async |host, target, mode| tungstenite::visit(host, target, mode)).await
            }
            "fastwebsockets" => lead(&host, agent, fastwebsockets::visit).await,
            "tokio-websockets" => lead(&host, agent, tokio_websockets::visit).await,
            "yawc" => lead(&host, agent, yawc::visit).await,
            other => Err(format!("no library is called {other}").into()),
        }
    })
}

async fn lead(
    host: &str,
    agent: &str,
    visit: impl AsyncFn(&str, &str, Mode) -> Ended,
) -> Result<(), Box<dyn Error>> {
    let count: u32 = visit(host, "/getCaseCount", Mode::Ask).await?.ok_or("no count of cases")?.parse()?;
    for case in 1..=count {
        let target = format!("/runCase?case={case}&agent={agent}");
        if within(visit(host, &target, Mode::Echo)).await.is_none() {
            println!("case {case} does not end");
        }
    }
    let _ = within(visit(host, &format!("/updateReports?agent={agent}"), Mode::Echo)).await;
    println!("{agent}: {count} cases");
    Ok(())
}

async fn within<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(PATIENCE, future).await.ok()
}
