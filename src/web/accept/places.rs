//! Who may be connected: a bound on all connections and on those of one address. When no place is left, a connection
//! that keeps us waiting gives way to the new one, so that clients which send nothing cannot keep others out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Connections at once.
const MAX_CONNECTIONS: usize = 512;
/// Connections at once from one address: an office behind one router, and no more.
const MAX_OF_ADDRESS: usize = 128;

/// What a connection is doing. The order is that in which they give way; the last two do not, unless the client takes
/// nothing of its answer.
const WAITING: u8 = 0;
const RECEIVING: u8 = 1;
const ANSWERING: u8 = 2;
/// It has given way and does nothing any more.
const LEAVING: u8 = 3;

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The client's address has all that one address may have, and each of them is being answered.
    Address,
    /// There is none for anybody until an answer has been given.
    All,
}

/// How many are connected, and what the bounds did since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::web) struct Connections {
    /// Now.
    pub(in crate::web) open: usize,
    /// Those that gave way to a new one.
    pub(in crate::web) gave_way: u64,
    /// New ones that found no place.
    pub(in crate::web) refused: u64,
}

/// The places. Cloning is cheap and shares them.
#[derive(Clone, Debug)]
pub(in crate::web) struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max: usize,
    max_of_address: usize,
    seats: Mutex<Seats>,
    /// Orders what the connections do: a clock that no two of them share.
    order: AtomicU64,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Seats {
    taken: HashMap<u64, Arc<Seat>>,
    by_address: HashMap<IpAddr, usize>,
    counts: Connections,
}

#[derive(Debug)]
struct Seat {
    /// `None`: not counted by address.
    address: Option<IpAddr>,
    doing: AtomicU8,
    /// The client takes nothing of its answer.
    stalled: AtomicBool,
    since: AtomicU64,
    leave: CancellationToken,
}

/// One place, until it is dropped or has to be given up.
#[derive(Debug)]
pub(in crate::web) struct Place {
    places: Places,
    number: u64,
    seat: Arc<Seat>,
    /// The whole answer was handed over, but perhaps not sent.
    answered: AtomicBool,
}

impl Default for Places {
    fn default() -> Self {
        Self::with_bounds(MAX_CONNECTIONS, MAX_OF_ADDRESS)
    }
}

impl Places {
    fn with_bounds(max: usize, max_of_address: usize) -> Self {
        Self(Arc::new(Inner {
            max,
            max_of_address,
            seats: Mutex::default(),
            order: AtomicU64::new(0),
            freed: Notify::new(),
        }))
    }

    /// A place for a client; a proxy, which speaks for many, is not bounded by its address.
    pub(super) fn take(&self, client: IpAddr, is_proxy: bool) -> Result<Place, Full> {
        let address = (!is_proxy).then(|| network_of(client));
        let mut seats = self.0.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = address.and_then(|address| seats.by_address.get(&address)).copied().unwrap_or(0);
        if of_address >= self.0.max_of_address && !seats.make_way(|seat| seat.address == address) {
            seats.counts.refused += 1;
            return Err(Full::Address);
        }
        if seats.taken.len() >= self.0.max && !seats.make_way(|_| true) {
            return Err(Full::All);
        }
        let number = self.0.order.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat {
            address,
            doing: AtomicU8::new(WAITING),
            stalled: AtomicBool::new(false),
            since: AtomicU64::new(number),
            leave: CancellationToken::new(),
        });
        seats.taken.insert(number, seat.clone());
        if let Some(address) = address {
            *seats.by_address.entry(address).or_default() += 1;
        }
        Ok(Place { places: self.clone(), number, seat, answered: AtomicBool::new(false) })
    }

    /// Waits until a place was freed since the last call.
    pub(super) async fn freed(&self) {
        self.0.freed.notified().await;
    }

    /// How many are connected.
    pub(in crate::web) fn counts(&self) -> Connections {
        let seats = self.0.seats.lock().unwrap_or_else(PoisonError::into_inner);
        Connections { open: seats.taken.len(), ..seats.counts }
    }
}

impl Seats {
    /// Takes the place of the one that waits longest, of the first kind of which there is one.
    fn make_way(&mut self, may: impl Fn(&Seat) -> bool) -> bool {
        let mut candidates: Vec<_> = self
            .taken
            .iter()
            .filter(|(_, seat)| may(seat))
            .filter_map(|(number, seat)| {
                let doing = seat.doing.load(Ordering::Acquire);
                let gives_way = doing < ANSWERING || (doing == ANSWERING && seat.stalled.load(Ordering::Relaxed));
                gives_way.then(|| (doing, seat.since.load(Ordering::Relaxed), *number))
            })
            .collect();
        candidates.sort_unstable();
        for (doing, _, number) in candidates {
            // It may have gone on meanwhile; a request that was begun is not broken off unseen.
            let left = self.taken.get(&number).is_some_and(|seat| seat.change(doing, LEAVING));
            if left {
                if let Some(seat) = self.remove(number) {
                    seat.leave.cancel();
                }
                self.counts.gave_way += 1;
                return true;
            }
        }
        false
    }

    fn remove(&mut self, number: u64) -> Option<Arc<Seat>> {
        let seat = self.taken.remove(&number)?;
        if let Some(address) = seat.address
            && let Some(count) = self.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&address);
            }
        }
        Some(seat)
    }
}

impl Seat {
    fn change(&self, from: u8, to: u8) -> bool {
        self.doing.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl Place {
    /// Ends when the place is needed for another.
    pub(super) async fn has_to_be_given_up(&self) {
        self.seat.leave.cancelled().await;
    }

    /// A whole request head is there. False when the place was given up just before.
    pub(super) fn head_is_whole(&self, has_body: bool) -> bool {
        self.answered.store(false, Ordering::Relaxed);
        self.touch();
        self.seat.change(WAITING, if has_body { RECEIVING } else { ANSWERING })
    }

    /// The whole body is there, or nobody wants it: from here on the client waits for us.
    pub(in crate::web) fn body_is_whole(&self) {
        self.seat.change(RECEIVING, ANSWERING);
    }

    /// The answer was handed over to be sent.
    pub(super) fn was_answered(&self) {
        self.body_is_whole();
        self.answered.store(true, Ordering::Release);
    }

    /// All that was handed over was sent. True when it was the end of an answer.
    pub(super) fn was_sent(&self) -> bool {
        let ended = self.answered.swap(false, Ordering::AcqRel);
        if ended {
            self.touch();
            if self.seat.change(ANSWERING, WAITING) {
                // It would give way now to one for whom there was no place before.
                self.places.0.freed.notify_one();
            }
        }
        ended
    }

    /// The client takes nothing, or does again.
    pub(super) fn stalls(&self, stalled: bool) {
        self.seat.stalled.store(stalled, Ordering::Relaxed);
        if stalled {
            self.places.0.freed.notify_one();
        }
    }

    /// True while no request is being answered.
    pub(super) fn is_waiting(&self) -> bool {
        self.seat.doing.load(Ordering::Acquire) == WAITING
    }

    fn touch(&self) {
        self.seat.since.store(self.places.0.order.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let removed = self.places.0.seats.lock().unwrap_or_else(PoisonError::into_inner).remove(self.number);
        if removed.is_some() {
            self.places.0.freed.notify_one();
        }
    }
}

/// One household has a whole /64.
pub(in crate::web) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn has_to_go(place: &Place) -> bool {
        place.seat.leave.is_cancelled()
    }

    #[test]
    fn who_waits_longest_gives_way_and_who_is_answered_does_not() {
        let places = Places::with_bounds(3, 3);
        let [idle, answered, new] = [1, 2, 3].map(|last| places.take(address(last), false).unwrap());
        assert!(answered.head_is_whole(false));
        // The first was answered and is idle since then: the third waits longer now.
        assert!(idle.head_is_whole(false));
        idle.was_answered();
        assert!(idle.was_sent());
        let fourth = places.take(address(4), false).unwrap();
        assert_eq!([&idle, &answered, &new].map(has_to_go), [false, false, true]);
        assert!(!new.head_is_whole(false), "its request came too late");
        assert!(fourth.head_is_whole(false));
        let fifth = places.take(address(5), false).unwrap();
        assert!(has_to_go(&idle) && fifth.head_is_whole(true));
        // One that still sends its body gives way last.
        let sixth = places.take(address(6), false).unwrap();
        assert!(has_to_go(&fifth) && sixth.head_is_whole(true));
        sixth.body_is_whole();
        assert_eq!(places.take(address(7), false).unwrap_err(), Full::All);
        assert_eq!(places.counts(), Connections { open: 3, gave_way: 3, refused: 0 });
        drop(answered);
        assert!(places.take(address(7), false).is_ok());
    }

    #[test]
    fn a_client_that_takes_nothing_of_its_answer_gives_way() {
        let places = Places::with_bounds(1, 1);
        let slow = places.take(address(1), false).unwrap();
        assert!(slow.head_is_whole(false));
        assert!(places.take(address(2), false).is_err());
        slow.stalls(true);
        slow.stalls(false);
        assert!(places.take(address(2), false).is_err());
        slow.stalls(true);
        assert!(places.take(address(2), false).is_ok() && has_to_go(&slow));
    }

    #[test]
    fn an_address_has_a_bound_and_a_proxy_has_none() {
        let places = Places::with_bounds(10, 2);
        let [first, second] = [1, 1].map(|last| places.take(address(last), false).unwrap());
        let other = places.take(address(2), false).unwrap();
        let third = places.take(address(1), false).unwrap();
        assert_eq!([&first, &second, &other].map(has_to_go), [true, false, false]);
        assert!(second.head_is_whole(false) && third.head_is_whole(false));
        assert_eq!(places.take(address(1), false).unwrap_err(), Full::Address);
        assert_eq!(places.counts().refused, 1);
        let proxied: Vec<_> = (0..7).map(|_| places.take(address(1), true).unwrap()).collect();
        assert_eq!(places.counts().open, 10);
        // They are idle, and so they are the ones to give way when there is no place at all, after the one before them.
        let _late = [places.take(address(3), false).unwrap(), places.take(address(3), false).unwrap()];
        assert!(has_to_go(&other) && has_to_go(&proxied[0]) && !has_to_go(&proxied[1]));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let of = |text: &str| network_of(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!((of("192.0.2.7"), of("::ffff:192.0.2.7")), ("192.0.2.7".to_owned(), "192.0.2.7".to_owned()));
    }
}
