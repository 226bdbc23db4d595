//! `trialseal witness`: runs one, and shows what it has kept.

use super::evidence::ShowEvidence;
use crate::process::{self, Process, Witness};
use anyhow::Result;
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};
use std::process::ExitCode;

/// `trialseal witness`, which runs one, and its subcommands.
pub(super) enum WitnessCommand {
    /// Run it.
    Run(Box<Witness>),
    /// Something beside it.
    Prepare(Prepare),
}

#[derive(Subcommand)]
pub(super) enum Prepare {
    /// Show the forks that a witness has kept: pairs of checkpoints that a log signed and that contradict each other.
    Evidence(ShowEvidence),
}

impl WitnessCommand {
    pub(super) async fn run(self) -> Result<ExitCode> {
        match self {
            Self::Run(flags) => process::run(Process::Witness(*flags)).await?,
            Self::Prepare(Prepare::Evidence(show)) => show.run().await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

// By hand, because clap's derived code asks for the flags of running also where a subcommand is given.
impl FromArgMatches for WitnessCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        match matches.subcommand_name() {
            Some(_) => Prepare::from_arg_matches(matches).map(Self::Prepare),
            None => Witness::from_arg_matches(matches).map(Box::new).map(Self::Run),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for WitnessCommand {
    fn augment_args(command: Command) -> Command {
        let command = Prepare::augment_subcommands(Witness::augment_args(command));
        command.subcommand_required(false).args_conflicts_with_subcommands(true).subcommand_negates_reqs(true)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
