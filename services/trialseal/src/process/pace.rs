//! How often checkpoints are made.

use anyhow::{Context, Result, ensure};
use clap::Args;
use jiff::SignedDuration;
use std::{num::NonZeroU32, time::Duration};

/// How often checkpoints are made, and how often witnesses are asked.
#[derive(Args, Debug, Clone, Copy)]
pub struct Pace {
    /// The shortest time between two checkpoints, such as 200ms or 5s; up to a minute.
    #[arg(long, env = "TRIALSEAL_CHECKPOINT_INTERVAL", default_value = "200ms", value_parser = interval)]
    checkpoint_interval: Duration,
    /// How long an idle chain waits before its last checkpoint is cosigned again: 1s to 24h.
    #[arg(long, env = "TRIALSEAL_CHECKPOINT_REFRESH", default_value = "5m", value_parser = refresh)]
    checkpoint_refresh: Duration,
    /// The maximum number of requests per minute to each witness.
    #[arg(long, env = "TRIALSEAL_WITNESS_RATE", default_value_t = anchoring::Pace::default().witness_rate)]
    witness_rate: NonZeroU32,
}

impl Pace {
    /// As the anchoring service takes it.
    pub fn pace(self) -> anchoring::Pace {
        let Self { checkpoint_interval, checkpoint_refresh, witness_rate } = self;
        anchoring::Pace {
            interval: checkpoint_interval,
            refresh: checkpoint_refresh,
            witness_rate,
            ..anchoring::Pace::default()
        }
    }
}

/// A duration as people write it, such as `90s`, `1h 30m` or `200ms`.
pub fn duration(text: &str) -> Result<Duration> {
    let duration: SignedDuration = text.parse().context("not a duration such as 200ms, 90s or 1h 30m")?;
    Duration::try_from(duration).ok().context("a duration must not be negative")
}

fn interval(text: &str) -> Result<Duration> {
    let interval = duration(text)?;
    ensure!(interval <= Duration::from_secs(60), "must be at most a minute, because blocks wait for it");
    Ok(interval)
}

fn refresh(text: &str) -> Result<Duration> {
    let refresh = duration(text)?;
    ensure!((1..=86_400).contains(&refresh.as_secs()), "must be from 1s to 24h");
    Ok(refresh)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them_within_their_bounds() {
        assert_eq!(duration("1h 30m").unwrap(), Duration::from_secs(5_400));
        assert!(duration("-1s").is_err() && duration("5").is_err() && duration("").is_err());
        assert_eq!(interval("200ms").unwrap(), anchoring::Pace::default().interval);
        assert_eq!(refresh("5m").unwrap(), anchoring::Pace::default().refresh);
        assert!(interval("2m").is_err() && refresh("500ms").is_err() && refresh("25h").is_err());
    }
}
