//! `trialseal-verify`: verifies a proof bundle offline. Exits 0 if every link holds, 1 if not or if a file cannot be read, 2 if
//! it is called wrongly.

use lexopt::{Arg, Parser};
use std::{
    ffi::OsStr,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const HELP: &str = "\
Verify a proof bundle offline. Exits 0 if it verifies, 1 otherwise.

Usage: trialseal-verify BUNDLE --policy FILE [OPTIONS]

  BUNDLE                The bundle file
      --policy FILE     The policy: the chain, its witnesses, the quorum (C2SP tlog-policy). Take it from the
                        sponsor, not from the server that gave you the bundle
      --policy-keys FILE
                        The file with the receipt keys and the studies' root keys. Default: policy-keys.txt next to
                                                policy.txt, if it exists
                              --max-age TIME    Refuse the bundle if the quorum cosigned its checkpoint longer ago than this, such as 1h;
                                                for bundles just fetched. Default: any age is accepted
      --json            Print the report as JSON
  -h, --help            Print this help
  -V, --version         Print the version
";

/// What is to be verified.
struct Wanted {
    bundle: PathBuf,
    policy: PathBuf,
    policy_keys: Option<PathBuf>,
    max_age: Option<Duration>,
    json: bool,
}

/// What the program was called for.
enum Called {
    Verify(Wanted),
    /// This is printed and nothing else done.
    Print(String),
}

fn main() -> ExitCode {
    let called = match called(Parser::from_env()) {
        Ok(called) => called,
        Err(error) => {
            eprintln!("trialseal-verify: {error}\nTry --help.");
            return ExitCode::from(2);
        }
    };
    let ended = match called {
        Called::Verify(wanted) => run(&wanted),
        Called::Print(text) => io::stdout().write_all(text.as_bytes()).map(|()| true).map_err(Into::into),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("trialseal-verify: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the bundle verifies; the report is printed.
fn run(wanted: &Wanted) -> Result<bool, Box<dyn std::error::Error>> {
    let (policy, _) = verify::read_policy(&wanted.policy, wanted.policy_keys.as_deref())?;
    let mut report = verify::verify(&wanted.bundle, &policy)?;
    if let Some(max_age) = wanted.max_age {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        verify::demand_fresh(&mut report, &policy, max_age, now.as_secs());
    }
    let text = if wanted.json { serde_json::to_string_pretty(&report)? + "\n" } else { verify::readable(&report) };
    io::stdout().write_all(text.as_bytes())?;
    Ok(report.verified)
}

fn called(mut arguments: Parser) -> Result<Called, lexopt::Error> {
    let (mut bundle, mut policy, mut policy_keys, mut max_age, mut json) = (None, None, None, None, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Called::Print(HELP.to_owned())),
            Arg::Short('V') | Arg::Long("version") => {
                return Ok(Called::Print(format!("trialseal-verify {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Arg::Long("policy") => once(&mut policy, arguments.value()?.into(), "--policy")?,
            Arg::Long("policy-keys") => once(&mut policy_keys, arguments.value()?.into(), "--policy-keys")?,
            Arg::Long("max-age") => once(&mut max_age, duration(&arguments.value()?)?, "--max-age")?,
            Arg::Long("json") => json = true,
            Arg::Value(file) => once(&mut bundle, file.into(), "BUNDLE")?,
            other => return Err(other.unexpected()),
        }
    }
    let bundle = bundle.ok_or("BUNDLE is missing: the file to verify")?;
    let policy = policy.ok_or("--policy FILE is missing")?;
    Ok(Called::Verify(Wanted { bundle, policy, policy_keys, max_age, json }))
}

fn once<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), lexopt::Error> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{name} is given twice").into()),
    }
}

/// A duration as people write it, such as `90s` or `1h 30m`.
fn duration(text: &OsStr) -> Result<Duration, lexopt::Error> {
    let spoken = text.to_string_lossy();
    let duration: jiff::SignedDuration =
        spoken.parse().map_err(|_| format!("{spoken:?} is not a duration such as 90s or 1h"))?;
    Duration::try_from(duration).map_err(|_| "a duration is not negative".into())
}
