//! Lists the commands in groups for `--help`. Layer: cli.

use std::fmt::Write as _;

use clap::Command;

/// The groups and their commands, in the order of the help.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Measure", &["run", "compare", "plot", "load", "limits", "isolate", "abuse", "peer"]),
    ("Break", &["crash", "faults", "budget", "stop", "clock"]),
    ("Cluster", &["cluster", "cluster-faults"]),
    ("Tools", &["serve", "recording", "help"]),
];

/// Returns the command with a help that lists the commands in groups, each with the first line of its own help.
pub(crate) fn grouped(mut command: Command) -> Command {
    command.build();
    let mut listed = String::new();
    for (group, names) in GROUPS {
        let _ = writeln!(listed, "{group}:");
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about).map(ToString::to_string);
            let _ = writeln!(listed, "  {name:<16}{}", about.unwrap_or_default());
        }
        listed.push('\n');
    }
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{listed}Options:\n{{options}}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_command_is_in_one_group_and_has_a_line() {
        let mut command = crate::cli::Cli::command();
        command.build();
        let mut known: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
        let mut listed: Vec<String> =
            GROUPS.iter().flat_map(|(_, names)| names.iter().map(|name| (*name).to_owned())).collect();
        known.sort();
        listed.sort();
        assert_eq!(known, listed);
        let help = grouped(command).render_help().to_string();
        assert!(help.contains("Measure:\n  run             Runs a load scenario"), "{help}");
    }
}
