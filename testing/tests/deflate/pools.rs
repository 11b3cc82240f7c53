//! Pools for receiving: caps and budgets, between connections, pools and threads.

use framewire::{
    ProtocolError, Server,
    deflate::{InflateBudget, InflateConfig, InflatePool, Inflater, NoWindow},
    extension::DeflateParams,
};
use framewire_testing::{
    deflate::*,
    miniz::Compressor,
    payload::{prose, random},
    wire::*,
};

/// "Hello", as the RFC compresses it (§7.2.3.1).
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

#[test]
fn at_its_cap_the_pool_is_ready_for_those_inside_a_message_only() {
    let mut pool = InflatePool::new(InflateConfig { messages: 2, ..InflateConfig::default() });
    let mut hosts = [(); 4].map(|()| Host::<Server>::new(&NO_TAKEOVER, &pool));
    let wire = to::<Server>(TEXT1, HELLO);
    let (begin, end) = wire.split_at(8);
    for host in &mut hosts {
        host.read(&mut pool, &wire).unwrap(); // one after the other, one serves all
    }
    assert_eq!(pool.decompressors(), 1);
    hosts[0].read(&mut pool, begin).unwrap();
    hosts[1].read(&mut pool, begin).unwrap();
    assert_eq!((pool.decompressors(), pool.has_decompressor()), (2, false));
    assert!(hosts[0].inflater.is_open() && !hosts[2].inflater.is_open());
    assert!(hosts[2].inflater.ready(&mut pool).is_none());
    assert!(hosts[3].inflater.ready(&mut pool).is_none());

    // The end of a message frees a place, and so does the drop of a connection.
    hosts[0].read(&mut pool, &[end, &wire, &wire].concat()).unwrap();
    assert_eq!(hosts[0].messages.len(), 4);
    hosts[2].read(&mut pool, begin).unwrap();
    assert!(hosts[3].inflater.ready(&mut pool).is_none());
    let [_, gone, mut left, mut last] = hosts;
    drop(gone);
    assert_eq!(pool.decompressors(), 1);
    last.read(&mut pool, &wire).unwrap();
    assert_eq!(left.read(&mut pool, end), Ok(()));
    assert!(last.messages.len() == 2 && left.messages.len() == 2);

    // So does an error.
    last.read(&mut pool, begin).unwrap();
    left.read(&mut pool, begin).unwrap();
    assert!(!pool.has_decompressor());
    assert_eq!(left.read(&mut pool, b"\xff\xff\xff\xff"), Err(ProtocolError::InvalidUtf8));
    assert!(pool.has_decompressor());
}

#[test]
fn windows_are_set_aside_within_the_budget() {
    let mut pool = InflatePool::new(InflateConfig { windows: 3 << 9, ..InflateConfig::default() });
    let small = DeflateParams { client_max_window_bits: 9, ..TAKEOVER };
    let new = |params: &DeflateParams, pool: &InflatePool| Inflater::<Server>::new(params, pool);
    assert_eq!(new(&TAKEOVER, &pool).unwrap_err(), NoWindow);
    let two = [new(&small, &pool).unwrap(), new(&small, &pool).unwrap()];
    assert!(pool.has_window(9) && pool.has_window(8) && !pool.has_window(10));
    // 8 bits count as 9: zlib compresses with 9.
    let third = new(&DeflateParams { client_max_window_bits: 8, ..TAKEOVER }, &pool).unwrap();
    assert_eq!((pool.windows(), pool.has_window(9)), (3 << 9, false));
    assert_eq!(new(&small, &pool).unwrap_err(), NoWindow);
    assert!(new(&NO_TAKEOVER, &pool).is_ok(), "needs none");
    drop((two, third));
    assert_eq!(pool.windows(), 0);
    assert!(Host::<Server>::new(&small, &pool).read(&mut pool, &to::<Server>(TEXT1, HELLO)).is_ok());
}

/// A connection may move to another pool inside a message.
#[test]
fn a_connection_may_move_between_pools() {
    let new = || InflatePool::new(InflateConfig { messages: 1, ..InflateConfig::default() });
    let (mut here, mut there) = (new(), new());
    let wire = to::<Server>(TEXT1, HELLO);
    let mut moving = Host::<Server>::new(&TAKEOVER, &here);
    let mut staying = Host::<Server>::new(&TAKEOVER, &there);
    for _ in 0..3 {
        moving.read(&mut here, &wire[..8]).unwrap();
        staying.read(&mut there, &wire[..8]).unwrap();
        // `there` is at its cap, but must let this connection continue, also with its next message.
        moving.read(&mut there, &[&wire[8..], &wire].concat()).unwrap();
        staying.read(&mut there, &wire[8..]).unwrap();
        staying.read(&mut there, &wire).unwrap();
        moving.read(&mut here, &[]).unwrap();
    }
    assert!(moving.messages.len() == 6 && staying.messages.len() == 6);
    assert!(here.decompressors() <= 1 && there.decompressors() <= 1);
}

/// The caps hold for all pools of a budget together.
#[test]
fn pools_share_a_budget() {
    let config = InflateConfig { messages: 2, windows: 3 << 15, ..InflateConfig::default() };
    let budget = InflateBudget::new(config);
    let (mut here, mut there) = (InflatePool::sharing(&budget), InflatePool::sharing(&budget));
    let wire = to::<Server>(TEXT1, HELLO);
    let (begin, end) = wire.split_at(8);

    let mut hosts = [&here, &there, &here].map(|pool| Host::<Server>::new(&TAKEOVER, pool));
    assert!(!there.has_window(9));
    assert_eq!(Inflater::<Server>::new(&TAKEOVER, &there).unwrap_err(), NoWindow);
    assert_eq!((here.windows(), there.windows()), (3 << 15, 3 << 15));

    let mut late = Host::<Server>::new(&NO_TAKEOVER, &there);
    // One message for each pool, and a further one.
    hosts[2].read(&mut here, begin).unwrap();
    hosts[1].read(&mut there, begin).unwrap();
    hosts[0].read(&mut here, begin).unwrap();
    assert_eq!((here.decompressors(), there.decompressors()), (3, 3));
    assert!(late.inflater.ready(&mut here).is_none() && late.inflater.ready(&mut there).is_none());

    // A message that continues in another pool frees a place there when it ends, for all pools.
    hosts[0].read(&mut there, &[end, &wire, begin].concat()).unwrap();
    assert!(late.inflater.ready(&mut here).is_none() && late.inflater.ready(&mut there).is_none());
    hosts[0].read(&mut there, end).unwrap();
    late.read(&mut there, &wire).unwrap();
    assert_eq!((hosts[0].messages.len(), late.messages.len()), (3, 1));

    // So does the drop of a connection, from any pool.
    hosts[0].read(&mut there, begin).unwrap();
    assert!(late.inflater.ready(&mut here).is_none());
    let [moved, open @ ..] = hosts;
    drop(moved);
    assert!(here.has_window(15) && here.has_decompressor());
    late.read(&mut here, &wire).unwrap();
    assert_eq!(here.windows(), 2 << 15);
    assert!(here.decompressors() <= 3 + 2 * InflatePool::IDLE);
    drop((here, late, open));
    drop(there);
    let probe = InflatePool::sharing(&budget);
    assert_eq!((probe.decompressors(), probe.windows()), (0, 0), "all came back");
}

/// A pool that is idle keeps nothing from the others, whatever it did before.
#[test]
fn a_busy_pool_does_not_wait_for_idle_ones() {
    let budget = InflateBudget::new(InflateConfig { messages: 4, ..InflateConfig::default() });
    let mut pools = [(); 4].map(|()| InflatePool::sharing(&budget));
    let wire = to::<Server>(TEXT1, HELLO);
    for pool in &mut pools {
        let mut host = Host::<Server>::new(&NO_TAKEOVER, pool);
        host.read(pool, &wire).unwrap();
        host.read(pool, &to::<Server>(TEXT, b"not compressed")).unwrap();
        assert!(host.inflater.ready(pool).is_some());
    }
    let [idle @ .., busy] = &mut pools;
    let mut open = [(); 4].map(|()| Host::<Server>::new(&NO_TAKEOVER, busy));
    for host in &mut open {
        assert!(busy.has_decompressor());
        host.read(busy, &wire[..8]).unwrap();
    }
    assert!(!busy.has_decompressor() && open[0].inflater.is_open());
    assert!(Inflater::<Server>::new(&NO_TAKEOVER, busy).unwrap().ready(busy).is_none());
    // Beyond that, each of the others has one message, and no more.
    let mut others = idle.each_mut().map(|pool| {
        let mut host = Host::<Server>::new(&NO_TAKEOVER, pool);
        host.read(pool, &wire).unwrap();
        host.read(pool, &wire[..8]).unwrap();
        assert!(Inflater::<Server>::new(&NO_TAKEOVER, pool).unwrap().ready(pool).is_none());
        host
    });
    assert_eq!(busy.decompressors(), 4 + 3);
    // The end of a message in one pool lets any of them begin another.
    open[3].read(busy, &wire[8..]).unwrap();
    let mut more = Host::<Server>::new(&NO_TAKEOVER, &idle[0]);
    more.read(&mut idle[0], &wire[..8]).unwrap();
    assert!(!busy.has_decompressor() && !idle[0].has_decompressor() && !idle[1].has_decompressor());
    others[1].read(&mut idle[1], &wire[8..]).unwrap();
    assert!(!busy.has_decompressor() && !idle[0].has_decompressor() && idle[1].has_decompressor());
}

/// Hosts with whole messages never wait, even if another pool has used up the budget.
#[test]
fn whole_messages_do_not_wait_for_other_pools() {
    let budget = InflateBudget::new(InflateConfig { messages: 2, ..InflateConfig::default() });
    let (mut parts, mut whole) = (InflatePool::sharing(&budget), InflatePool::sharing(&budget));
    let wire = to::<Server>(TEXT1, HELLO);
    let mut open = [(); 2].map(|()| Host::<Server>::new(&NO_TAKEOVER, &parts));
    open.iter_mut().for_each(|host| host.read(&mut parts, &wire[..8]).unwrap());
    let mut inflaters = [(); 3].map(|()| Inflater::<Server>::new(&NO_TAKEOVER, &whole).unwrap());
    for _ in 0..3 {
        for inflater in &mut inflaters {
            let mut ready = inflater.ready(&mut whole).expect("one is always free");
            assert_eq!(ready.inflate_text(HELLO).unwrap(), "Hello");
        }
    }
    open.iter_mut().for_each(|host| host.read(&mut parts, &wire[8..]).unwrap());
}

/// A message that moves to another pool counts in its first pool until it ends, so that moving makes no room for more.
#[test]
fn connections_that_move_do_not_exceed_the_budget() {
    let budget = InflateBudget::new(InflateConfig { messages: 1, ..InflateConfig::default() });
    let (mut here, mut there) = (InflatePool::sharing(&budget), InflatePool::sharing(&budget));
    let wire = to::<Server>(TEXT1, HELLO);
    let (begin, end) = wire.split_at(8);
    let mut hosts = [(); 3].map(|()| Host::<Server>::new(&NO_TAKEOVER, &here));
    let [moving, staying, late] = &mut hosts;
    for _ in 0..3 {
        moving.read(&mut here, begin).unwrap();
        staying.read(&mut there, begin).unwrap();
        // The next message begins in the same read, and `there` has no place: it keeps that of `here`.
        moving.read(&mut there, &[end, begin].concat()).unwrap();
        assert!(late.inflater.ready(&mut here).is_none() && late.inflater.ready(&mut there).is_none());
        // Now `there` has one, and `here` gets its own again.
        staying.read(&mut there, end).unwrap();
        moving.read(&mut there, &[end, begin].concat()).unwrap();
        assert!(late.inflater.ready(&mut there).is_none());
        late.read(&mut here, &wire).unwrap();
        moving.read(&mut there, end).unwrap();
        assert!(here.has_decompressor() && there.has_decompressor());
    }
    assert!(here.decompressors() <= 2 + 2 * InflatePool::IDLE);
}

/// With more pools than messages, each may have one, also after connections ended inside messages.
#[test]
fn each_pool_of_a_budget_can_begin_a_message() {
    let budget = InflateBudget::new(InflateConfig { messages: 1, ..InflateConfig::default() });
    let mut pools = [(); 5].map(|()| InflatePool::sharing(&budget));
    let wire = to::<Server>(TEXT1, HELLO);
    for _ in 0..3 {
        let mut hosts = pools.each_mut().map(|pool| {
            let mut host = Host::<Server>::new(&TAKEOVER, pool);
            host.read(pool, &wire[..8]).unwrap();
            (host, pool)
        });
        for (_, pool) in &mut hosts {
            let mut one_too_many = Inflater::<Server>::new(&TAKEOVER, pool).unwrap();
            assert!(one_too_many.ready(pool).is_none());
        }
    }
    assert_eq!(pools[0].decompressors(), 0);
}

/// The same with threads: their connections move to other threads, also inside messages.
#[test]
fn a_budget_is_kept_by_threads_together() {
    use std::collections::VecDeque;
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };
    const MESSAGES: usize = 4;
    const THREADS: usize = 4;
    let budget = InflateBudget::new(InflateConfig { messages: MESSAGES, ..InflateConfig::default() });
    let open = AtomicUsize::new(0);
    let connections = {
        let pool = InflatePool::sharing(&budget);
        let connection = |()| (Host::<Server>::new(&TAKEOVER, &pool), vec![], 0);
        Mutex::new(VecDeque::from([(); 12].map(connection)))
    };
    let texts: Vec<_> = (0..40).map(|i| prose(300, i % 7)).collect();
    let wires: Vec<_> = {
        let mut compressor = Compressor::default(); // all connections send the same messages, each at its own pace
        texts.iter().map(|text| to::<Server>(TEXT1, &compressor.compress(text))).collect()
    };
    std::thread::scope(|scope| {
        for seed in 0..THREADS as u64 {
            let (budget, open, connections, texts, wires) = (&budget, &open, &connections, &texts, &wires);
            scope.spawn(move || {
                let mut pool = InflatePool::sharing(budget);
                let mut random = random(seed);
                loop {
                    let Some((mut host, rest, done)) = connections.lock().unwrap().pop_front() else {
                        return;
                    };
                    if done == wires.len() {
                        assert!(host.messages.iter().map(|(_, bytes)| bytes).eq(texts));
                        continue;
                    }
                    // The rest of an open message, or a message that may stay open.
                    let was_open = host.inflater.is_open();
                    let wire = if was_open { rest } else { wires[done].clone() };
                    let cut = if random() % 2 == 0 { wire.len() } else { wire.len() / 2 };
                    let whole = cut == wire.len();
                    if was_open && whole {
                        open.fetch_sub(1, Ordering::SeqCst); // before a place is free for another
                    }
                    let Some(outcome) = host.try_read(&mut pool, &wire[..cut]) else {
                        connections.lock().unwrap().push_back((host, vec![], done));
                        continue;
                    };
                    outcome.unwrap();
                    assert_eq!(host.inflater.is_open(), !whole);
                    if !was_open && !whole {
                        assert!(open.fetch_add(1, Ordering::SeqCst) < MESSAGES + THREADS - 1);
                    }
                    let left = wire[cut..].to_vec();
                    connections.lock().unwrap().push_back((host, left, done + usize::from(whole)));
                }
            });
        }
    });
    let probe = InflatePool::sharing(&budget);
    assert_eq!((probe.decompressors(), probe.windows()), (0, 0), "all came back");
}
