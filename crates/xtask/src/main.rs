//! Chores of the project, as `cargo xtask …`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{bench, retire, tidy};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Chores of the project")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Check the house rules.
    Tidy {
        /// List also what is allowed and yet worth a look.
        #[arg(long)]
        advice: bool,
    },
    /// Say what is marked to go with the bridge; with --rehearse, try it in a copy.
    Retire(RetireArgs),
    /// Measure POP3 and submission from the client's side.
    #[command(subcommand)]
    Bench(bench::Command),
}

#[derive(Debug, clap::Args)]
struct RetireArgs {
    /// Take it out in a copy of the workspace, build what is left and run its tests.
    #[arg(long)]
    rehearse: bool,
    /// Build only.
    #[arg(long, requires = "rehearse")]
    skip_tests: bool,
    /// Leave out packages that the retirement changes neither by itself nor by what they depend
    /// on, for where their tests have just been run.
    #[arg(long, requires = "rehearse")]
    only_touched: bool,
    /// Leave the copy and say where it is.
    #[arg(long, requires = "rehearse")]
    keep: bool,
    /// Where cargo builds the copy.
    #[arg(long, env = "RETIRE_TARGET_DIR", default_value = "target/retire")]
    target_dir: PathBuf,
    /// For `cargo test` in the copy.
    #[arg(last = true)]
    test_arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    let root = root();
    match Cli::parse().chore {
        Chore::Tidy { advice } => run_tidy(&root, advice),
        Chore::Retire(args) => run_retire(root, args),
        Chore::Bench(command) => match bench::run(command) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => failed(&error),
        },
    }
}

/// The workspace that this program was built in.
fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_owned()
}

fn run_tidy(root: &Path, advice: bool) -> ExitCode {
    if advice {
        for finding in tidy::advice(root) {
            println!("{finding}");
        }
    }
    let findings = tidy::run(root);
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => ExitCode::SUCCESS,
        count => failed(&format!("{count} house rules are broken")),
    }
}

fn run_retire(root: PathBuf, args: RetireArgs) -> ExitCode {
    let rehearsal = retire::Rehearsal {
        target: root.join(args.target_dir),
        root,
        skip_tests: args.skip_tests,
        only_touched: args.only_touched,
        keep: args.keep,
        quiet: false,
        test_arguments: args.test_arguments,
    };
    if args.rehearse {
        match rehearsal.run() {
            Ok(report) => {
                print_plan(&report.plan);
                if let Some(copy) = report.kept {
                    println!("the copy: {}", copy.display());
                }
                println!(
                    "what is left builds{}",
                    if args.skip_tests { "" } else { " and passes its tests" }
                );
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error),
        }
    } else {
        match rehearsal.plan() {
            Ok(plan) => {
                print_plan(&plan);
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error),
        }
    }
}

fn print_plan(plan: &retire::Plan) {
    for retiring in &plan.crates {
        println!("crate {} ({}/)", retiring.name, retiring.folder);
    }
    for file in &plan.files {
        println!("file {file}");
    }
    for (file, count) in &plan.lines {
        println!("{count} lines of {file}");
    }
    println!("{} marked lines in all", plan.marked_lines());
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}
