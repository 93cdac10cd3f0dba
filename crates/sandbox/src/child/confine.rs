//! Takes away from the process what scripts must not have, so that even a fault in the interpreter leads nowhere.
//!
//! It must not know scripts. Each measure is applied as far as the system has it and reported to the parent; the
//! interpreter has no functions for files or network in the first place.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::super::wire::Confinement;

/// Descriptors: the three of the start and the two copies in use.
const FILES: u64 = 8;

/// Confines this process for good.
pub(super) fn apply(data: u64) -> Confinement {
    let fixed = |resource, most: u64| {
        let most = most.min(getrlimit(resource).maximum.unwrap_or(u64::MAX));
        setrlimit(
            resource,
            Rlimit {
                current: Some(most),
                maximum: Some(most),
            },
        )
        .is_ok()
    };
    let limits = [
        fixed(Resource::Core, 0),
        fixed(Resource::Fsize, 0),
        fixed(Resource::Nofile, FILES),
        fixed(Resource::Nproc, 0),
        // The address space also counts the program's own mapping, whose size says nothing about scripts.
        fixed(Resource::Data, data.saturating_add(mapped())),
    ];
    Confinement {
        limits: limits.iter().all(|held| *held),
        no_new_privileges: no_new_privileges(),
        system_calls: system_calls(),
    }
}

/// What the limit counts already before the first script: an allocator may map a gigabyte and touch none of it.
fn mapped() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmData:"))
        .and_then(|rest| {
            rest.trim()
                .trim_end_matches("kB")
                .trim()
                .parse::<u64>()
                .ok()
        });
    kilobytes.unwrap_or(0).saturating_mul(1024)
}

/// Processor time for the next turn: the last line of defence should parent and interpreter both fail to stop it.
pub(super) fn allow_time(millis: Option<u64>) {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime).tv_sec;
    let current = millis.map(|millis| {
        u64::try_from(used)
            .unwrap_or(0)
            .saturating_add(millis / 1000)
            .saturating_add(3)
    });
    // Only the soft limit, which is enough to end the process and can be moved again.
    let maximum = getrlimit(Resource::Cpu).maximum;
    let current = match (current, maximum) {
        (Some(current), Some(most)) => Some(current.min(most)),
        (current, most) => current.or(most),
    };
    let _ = setrlimit(Resource::Cpu, Rlimit { current, maximum });
}

#[cfg(target_os = "linux")]
fn no_new_privileges() -> bool {
    rustix::thread::set_no_new_privs(true).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn no_new_privileges() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn system_calls() -> bool {
    filter::install().is_ok()
}

#[cfg(not(target_os = "linux"))]
fn system_calls() -> bool {
    false
}

#[cfg(target_os = "linux")]
mod filter {
    //! The system calls that stay: pipes already open, memory, clocks, signals to oneself. Others fail with EPERM.

    use std::collections::BTreeMap;

    use seccompiler::{
        BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
        SeccompFilter, SeccompRule, TargetArch,
    };

    const FREE: &[i64] = &[
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_close,
        libc::SYS_ppoll,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll,
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_sched_yield,
        libc::SYS_clock_gettime,
        libc::SYS_clock_getres,
        libc::SYS_gettimeofday,
        libc::SYS_getrandom,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];

    pub(super) fn install() -> Result<(), Error> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
            FREE.iter().map(|call| (*call, Vec::new())).collect();
        let executable = libc::PROT_EXEC as u64;
        let not_executable = || when(2, SeccompCmpOp::MaskedEq(executable), 0);
        rules.insert(
            libc::SYS_mmap,
            vec![SeccompRule::new(vec![not_executable()?])?],
        );
        rules.insert(
            libc::SYS_mprotect,
            vec![SeccompRule::new(vec![not_executable()?])?],
        );
        let own = u64::from(std::process::id());
        rules.insert(
            libc::SYS_tgkill,
            vec![SeccompRule::new(vec![when(0, SeccompCmpOp::Eq, own)?])?],
        );
        let own_cpu_time = vec![
            when(0, SeccompCmpOp::Eq, 0)?,
            when(1, SeccompCmpOp::Eq, libc::RLIMIT_CPU as u64)?,
        ];
        rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(own_cpu_time)?]);
        let filter = SeccompFilter::new(
            rules,
            SeccompAction::Errno(libc::EPERM as u32),
            SeccompAction::Allow,
            TargetArch::try_from(std::env::consts::ARCH)?,
        )?;
        let program: BpfProgram = filter.try_into()?;
        seccompiler::apply_filter_all_threads(&program)
    }

    fn when(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, Error> {
        Ok(SeccompCondition::new(
            argument,
            SeccompCmpArgLen::Dword,
            operator,
            value,
        )?)
    }
}
