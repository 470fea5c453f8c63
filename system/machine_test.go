package system

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// busyMachine is what keeps the processors and the disk from the region, and the control that tells what they still
// give.
type busyMachine struct {
	loops   []*exec.Cmd
	since   time.Time
	cancel  context.CancelFunc
	working sync.WaitGroup
	before  machineTimes

	share   float64         // of all processors' time, what the busy loops got, from 0 to 1; known after stop
	flushes []time.Duration // how long each flush of the busy disk took
	trips   []time.Duration // how long each round trip of the control took
}

// keepBusy takes the processors with so many busy loops, and the disk with flushes one after the other, until stop or
// the end of the test.
func keepBusy(t testing.TB, loops int) *busyMachine {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	first := startRelays(t, 3)
	busy := &busyMachine{since: time.Now(), cancel: cancel, before: readMachineTimes()}
	file, err := os.Create(filepath.Join(t.TempDir(), "flushed"))
	must(t, "make a file", err)
	busy.working.Go(func() {
		defer file.Close()
		for i := 0; ctx.Err() == nil; i++ {
			started := time.Now()
			fmt.Fprintln(file, i)
			file.Sync()
			busy.flushes = append(busy.flushes, time.Since(started))
		}
	})
	busy.working.Go(func() { busy.trips = roundTrips(ctx, first) })
	t.Cleanup(busy.stop)
	for range loops {
		loop := exec.CommandContext(ctx, "sh", "-c", "while :; do :; done")
		must(t, "start a busy loop", loop.Start())
		busy.loops = append(busy.loops, loop)
	}
	return busy
}

// stop ends what keeps the machine busy. It may be called twice.
func (b *busyMachine) stop() {
	if b.cancel == nil {
		return
	}
	b.cancel()
	b.cancel = nil
	lasted := time.Since(b.since)
	var got time.Duration
	for _, loop := range b.loops {
		loop.Wait()
		got += loop.ProcessState.UserTime() + loop.ProcessState.SystemTime()
	}
	b.working.Wait()
	b.share = got.Seconds() / lasted.Seconds() / float64(runtime.NumCPU())
}

// starved says whether the machine gave next to nothing to anybody: a virtual one whose host has better to do, or a
// disk that takes part of a second for a flush. Busy loops take all they can get: beside a region on two processors of
// their own that is more than half. The control's three processes hand a line on and flush it, as etcd's members do.
// Where even they take half a second, or once as long as the region's shortest timer, a region cannot be held to its
// timers.
func (b *busyMachine) starved() bool {
	return b.share < 0.2 || median(b.trips) > 500*time.Millisecond || slices.Max(append(b.trips, 0)) > 3*time.Second
}

func (b *busyMachine) String() string {
	spread := func(ds []time.Duration) string {
		return fmt.Sprintf("%d, median %v, longest %v", len(ds), median(ds).Round(time.Millisecond),
			slices.Max(append(ds, 0)).Round(time.Millisecond))
	}
	return fmt.Sprintf("%d busy loops got %.0f %% of the processors' time; flushes: %s; the control's round trips: %s; %s",
		len(b.loops), 100*b.share, spread(b.flushes), spread(b.trips), readMachineTimes().since(b.before))
}

func median(ds []time.Duration) time.Duration {
	if len(ds) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(ds))[len(ds)/2]
}

// relayEnv makes this test binary a relay of the control: "FILE ADDRESS", where ADDRESS is the next one's or "-".
const relayEnv = "SYSTEM_TEST_RELAY"

// startRelays starts so many processes, each of which flushes a line to its own file and hands it on to the next, and
// gives the first one's address.
func startRelays(t testing.TB, n int) (first string) {
	t.Helper()
	self, err := os.Executable()
	must(t, "find this binary", err)
	first = "-"
	for i := range n {
		relay := exec.Command(self)
		relay.Env = append(os.Environ(), relayEnv+"="+filepath.Join(t.TempDir(), "relay-"+strconv.Itoa(i))+" "+first)
		stdin, err := relay.StdinPipe()
		must(t, "make a pipe", err)
		stdout, err := relay.StdoutPipe()
		must(t, "make a pipe", err)
		must(t, "start a relay", relay.Start())
		t.Cleanup(func() {
			stdin.Close() // that ends it
			relay.Wait()
		})
		line, err := bufio.NewReader(stdout).ReadString('\n')
		must(t, "read a relay's address", err)
		first = strings.TrimSpace(line)
	}
	return first
}

// relay is the relay's process. It ends with its stdin.
func relay(config string) error {
	name, next, _ := strings.Cut(config, " ")
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			var onward net.Conn
			if next != "-" {
				if onward, err = net.Dial("tcp", next); err != nil {
					return
				}
			}
			go func() {
				for lines := bufio.NewScanner(conn); lines.Scan(); fmt.Fprintln(conn, lines.Text()) {
					fmt.Fprintln(file, lines.Text())
					file.Sync()
					if onward != nil {
						fmt.Fprintln(onward, lines.Text())
						bufio.NewReader(onward).ReadString('\n')
					}
				}
			}()
		}
	}()
	_, err = bufio.NewReader(os.Stdin).ReadString('\n')
	return err
}

// roundTrips sends a line through the relays ten times a second.
func roundTrips(ctx context.Context, first string) (trips []time.Duration) {
	conn, err := net.Dial("tcp", first)
	if err != nil {
		return nil
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		started := time.Now()
		fmt.Fprintln(conn, n)
		answers.ReadString('\n')
		trips = append(trips, time.Since(started))
		<-again.C
	}
	return trips
}

// machineTimes are sums since the machine's start. They are 0 where the system does not tell.
type machineTimes struct {
	at                 time.Time
	stolen, waitedDisk float64            // seconds of all processors
	pressure           map[string]float64 // seconds in which somebody waited, by what for
	ownGroup           string             // the scheduler's group of this process
}

func readMachineTimes() machineTimes {
	m := machineTimes{at: time.Now(), pressure: map[string]float64{}}
	if stat, err := os.ReadFile("/proc/stat"); err == nil {
		if fields := strings.Fields(string(stat)); len(fields) > 8 { // cpu user nice system idle iowait irq softirq steal
			m.waitedDisk, m.stolen = number(fields[5])/100, number(fields[8])/100
		}
	}
	for _, what := range []string{"cpu", "io", "memory"} {
		text, _ := os.ReadFile("/proc/pressure/" + what)
		some, _, _ := strings.Cut(string(text), "\n")
		if _, total, found := strings.Cut(some, "total="); found {
			m.pressure[what] = number(total) / 1e6
		}
	}
	group, _ := os.ReadFile("/proc/self/autogroup")
	m.ownGroup = strings.TrimSpace(string(group))
	return m
}

func number(text string) float64 {
	n, _ := strconv.ParseFloat(strings.TrimSpace(text), 64)
	return n
}

// since tells in one line what happened to the machine since before.
func (m machineTimes) since(before machineTimes) string {
	seconds := m.at.Sub(before.at).Seconds()
	of := func(sum float64) string { return fmt.Sprintf("%.0f %%", 100*sum/seconds) }
	return fmt.Sprintf("in %.0f s: stolen %s, waits for the disk %s of a processor, pressure cpu %s io %s memory "+
		"%s; group %s", seconds,
		of(m.stolen-before.stolen), of(m.waitedDisk-before.waitedDisk), of(m.pressure["cpu"]-before.pressure["cpu"]),
		of(m.pressure["io"]-before.pressure["io"]), of(m.pressure["memory"]-before.pressure["memory"]), m.ownGroup)
}
