"""How threads meet and wait, in LLVM's text: they look for a bounded time, then sleep until they are woken.

A place is where threads wait for a number to change. It is `PLACE` bytes: the number, how many threads sleep, how often to look before
sleeping; a mutex and a condition of the system; a count of those that have arrived. Who changes the number wakes the others only if some
sleep. A sleeper first says so and then looks again, who changes first changes and then looks for sleepers: one of the two sees the other.

A team is `TEAM` bytes: the places where its threads meet within a job, wait for the next job and say that they have ended, then the job.
"""

from __future__ import annotations

import platform

PLACE = 256
SLEEPERS, SPINS, MUTEX, CONDITION, COUNT = 8, 16, 64, 128, 192  # offsets in a place; 64 bytes hold any system's mutex or condition
MEET, START, ENDED, JOB = 0, PLACE, 2 * PLACE, 3 * PLACE  # offsets in a team
FUNCTION, ARENA, OUTSIDE, SIZES, THREADS = (JOB + 8 * number for number in range(5))
TEAM = 4 * PLACE

X86 = ("call void @llvm.x86.sse2.pause()", "declare void @llvm.x86.sse2.pause()")
ARM = ("call void @llvm.aarch64.hint(i32 1)", "declare void @llvm.aarch64.hint(i32)")
PAUSES = {"x86_64": X86, "amd64": X86, "aarch64": ARM, "arm64": ARM}  # tell the processor that this thread only looks
PAUSE, DECLARED = PAUSES.get(platform.machine().lower(), ("", ""))

MEETING = f"""
define internal void @post(ptr %place, i64 %value) noinline {{
  %sleepers.at = getelementptr i8, ptr %place, i64 {SLEEPERS}
  %mutex = getelementptr i8, ptr %place, i64 {MUTEX}
  %condition = getelementptr i8, ptr %place, i64 {CONDITION}
  store atomic i64 %value, ptr %place seq_cst, align 8
  %sleepers = load atomic i64, ptr %sleepers.at seq_cst, align 8
  %awake = icmp eq i64 %sleepers, 0
  br i1 %awake, label %done, label %wake
wake:
  %locked = call i32 @pthread_mutex_lock(ptr %mutex)
  %woken = call i32 @pthread_cond_broadcast(ptr %condition)
  %unlocked = call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %done
done:
  ret void
}}

define internal void @await(ptr %place, i64 %old) noinline {{
entry:
  %sleepers = getelementptr i8, ptr %place, i64 {SLEEPERS}
  %spins.at = getelementptr i8, ptr %place, i64 {SPINS}
  %mutex = getelementptr i8, ptr %place, i64 {MUTEX}
  %condition = getelementptr i8, ptr %place, i64 {CONDITION}
  %spins = load i64, ptr %spins.at
  br label %look
look:
  %turn = phi i64 [0, %entry], [%turned, %again]
  %now = load atomic i64, ptr %place acquire, align 8
  %changed = icmp ne i64 %now, %old
  br i1 %changed, label %done, label %wait
wait:
  %more = icmp ult i64 %turn, %spins
  br i1 %more, label %again, label %sleep
again:
  {PAUSE}
  %turned = add i64 %turn, 1
  br label %look
sleep:
  %locked = call i32 @pthread_mutex_lock(ptr %mutex)
  %before = atomicrmw add ptr %sleepers, i64 1 seq_cst
  br label %check
check:
  %seen = load atomic i64, ptr %place seq_cst, align 8
  %come = icmp ne i64 %seen, %old
  br i1 %come, label %leave, label %block
block:
  %waited = call i32 @pthread_cond_wait(ptr %condition, ptr %mutex)
  br label %check
leave:
  %after = atomicrmw sub ptr %sleepers, i64 1 seq_cst
  %unlocked = call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %done
done:
  ret void
}}

define internal i1 @last(ptr %place, i64 %threads) noinline {{
  %count = getelementptr i8, ptr %place, i64 {COUNT}
  %before = atomicrmw add ptr %count, i64 1 acq_rel
  %mine = add i64 %before, 1
  %last = icmp eq i64 %mine, %threads
  br i1 %last, label %reset, label %done
reset:
  store atomic i64 0, ptr %count monotonic, align 8
  br label %done
done:
  ret i1 %last
}}

define internal void @meet(ptr %meeting, i64 %threads) noinline {{
  %round = load atomic i64, ptr %meeting acquire, align 8
  %last = call i1 @last(ptr %meeting, i64 %threads)
  br i1 %last, label %open, label %wait
open:
  %next = add i64 %round, 1
  call void @post(ptr %meeting, i64 %next)
  ret void
wait:
  call void @await(ptr %meeting, i64 %round)
  ret void
}}

declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
{DECLARED}
"""

FIELDS = (("function", FUNCTION), ("arena", ARENA), ("outside", OUTSIDE), ("sizes", SIZES))


def addresses() -> str:
    return "\n".join(f"  %{name}.at = getelementptr i8, ptr %team, i64 {offset}" for name, offset in (*FIELDS, ("threads", THREADS)))


def initial(place: int) -> str:
    """A place of a team, whose bytes are zero."""
    return f"""
  %spins{place} = getelementptr i8, ptr %team, i64 {place + SPINS}
  store i64 %spins, ptr %spins{place}
  %mutex{place} = getelementptr i8, ptr %team, i64 {place + MUTEX}
  call i32 @pthread_mutex_init(ptr %mutex{place}, ptr null)
  %condition{place} = getelementptr i8, ptr %team, i64 {place + CONDITION}
  call i32 @pthread_cond_init(ptr %condition{place}, ptr null)"""


# prepare: before the first thread starts; call: what the caller's thread runs for one job, a function that is null ends the others;
# serve: what each of the others runs.
SERVING = f"""{MEETING}
define void @prepare(ptr %team, i64 %threads, i64 %spins) {{
{addresses()}
  store i64 %threads, ptr %threads.at
{"".join(initial(place) for place in (MEET, START, ENDED))}
  ret void
}}

define void @call(ptr %team, ptr %function, ptr %arena, ptr %outside, ptr %sizes) {{
{addresses()}
{chr(10).join(f"  store ptr %{name}, ptr %{name}.at" for name, _ in FIELDS)}
  %threads = load i64, ptr %threads.at
  %start = getelementptr i8, ptr %team, i64 {START}
  %ended = getelementptr i8, ptr %team, i64 {ENDED}
  %number = load atomic i64, ptr %start monotonic, align 8
  %following = add i64 %number, 1
  %before = load atomic i64, ptr %ended acquire, align 8
  call void @post(ptr %start, i64 %following)
  %over = icmp eq ptr %function, null
  br i1 %over, label %done, label %job
job:
  call void %function(ptr %arena, ptr %outside, ptr %sizes, ptr %team, i64 0, i64 %threads)
  call void @await(ptr %ended, i64 %before)
  br label %done
done:
  ret void
}}

define void @serve(ptr %team, i64 %thread) {{
entry:
{addresses()}
  %threads = load i64, ptr %threads.at
  %others = sub i64 %threads, 1
  %start = getelementptr i8, ptr %team, i64 {START}
  %ended = getelementptr i8, ptr %team, i64 {ENDED}
  br label %next
next:
  %number = phi i64 [0, %entry], [%following, %job], [%following, %last]
  call void @await(ptr %start, i64 %number)
  %following = add i64 %number, 1
  %function = load ptr, ptr %function.at
  %over = icmp eq ptr %function, null
  br i1 %over, label %done, label %job
job:
  %arena = load ptr, ptr %arena.at
  %outside = load ptr, ptr %outside.at
  %sizes = load ptr, ptr %sizes.at
  call void %function(ptr %arena, ptr %outside, ptr %sizes, ptr %team, i64 %thread, i64 %threads)
  %all = call i1 @last(ptr %ended, i64 %others)
  br i1 %all, label %last, label %next
last:
  call void @post(ptr %ended, i64 %following)
  br label %next
done:
  ret void
}}

declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_cond_init(ptr, ptr)
"""
