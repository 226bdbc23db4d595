//! Until when an answer is of use to whoever asked first.

use std::{future::Future, time::Duration};
use tokio::time::Instant;
use tonic::codegen::http::{HeaderMap, HeaderValue};

const HEADER: &str = "grpc-timeout";
/// The most digits the header may have.
const DIGITS: usize = 8;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Runs `future`, a call being served, with a deadline: calls it makes carry what remains. A deadline already set stays if
/// it is earlier. Tasks it spawns have none.
pub async fn with_deadline<F: Future>(deadline: impl Into<Instant>, future: F) -> F::Output {
    let deadline = deadline.into();
    DEADLINE.scope(current().map_or(deadline, |earlier| earlier.min(deadline)), future).await
}

/// What remains of the deadline of the call being served; nothing if it has none.
pub fn remaining() -> Option<Duration> {
    current().map(|deadline| deadline.saturating_duration_since(Instant::now()))
}

pub(crate) fn current() -> Option<Instant> {
    DEADLINE.try_with(|deadline| *deadline).ok()
}

/// The time a call is given by its header `grpc-timeout` (gRPC over HTTP/2); nothing if it has none that makes sense.
pub fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// Writes the time a call is given.
pub(crate) fn set_timeout(headers: &mut HeaderMap, timeout: Duration) {
    let most = 10_u128.pow(8) - 1;
    let (micros, millis) = (timeout.as_micros(), timeout.as_millis());
    let text = match (micros <= most, millis <= most) {
        (true, _) => format!("{micros}u"),
        (_, true) => format!("{millis}m"),
        _ => format!("{}S", u128::from(timeout.as_secs()).min(most)),
    };
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(HEADER, value);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_a_little_shorter_at_most() {
        for timeout in [0, 1, 999, 99_999_999, 100_000_000, 99_999_999_999, 100_000_000_000] {
            let timeout = Duration::from_micros(timeout);
            let mut headers = HeaderMap::new();
            set_timeout(&mut headers, timeout);
            let read = super::timeout(&headers).unwrap();
            assert!(read <= timeout && timeout.saturating_sub(read) <= timeout / 1_000, "{timeout:?} {read:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_no_deadline() {
        for text in ["", "S", "5", "-5S", "+5S", "123456789S", "5x", "5 S", "é"] {
            let headers =
                HeaderMap::from_iter([(HEADER.parse().unwrap(), HeaderValue::from_bytes(text.as_bytes()).unwrap())]);
            assert_eq!(timeout(&headers), None, "{text:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_earlier_of_two_deadlines_counts_and_neither_outlives_its_future() {
        let now = Instant::now();
        assert_eq!(remaining(), None);
        let inner = with_deadline(now + Duration::from_secs(9), async { remaining() });
        assert_eq!(with_deadline(now + Duration::from_secs(5), inner).await, Some(Duration::from_secs(5)));
        assert_eq!(with_deadline(now, async { remaining() }).await, Some(Duration::ZERO));
        assert_eq!(remaining(), None);
    }
}
