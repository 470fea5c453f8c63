package state

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// A voter whose disk refuses something does not go on: what it had written may be lost, and it must not tell anybody what it could not
// keep. It goes down, as if its process had ended, with the copy that it has; and comes back when its disk takes writes again.

// DiskOperation is what a voter asks of its disk.
type DiskOperation int

// The operations of Config.Disk.
const (
	DiskSync    DiskOperation = iota // what was written is to last
	DiskRewrite                      // a write into what is there, a deletion
	DiskGrow                         // a new file
)

// errDisk is that of everything that Config.Disk refuses.
var errDisk = errors.New("its disk")

// comeBackPauses are between attempts to come back while nobody says that the disk is well.
var comeBackPauses = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}

// asks is a Config.Disk within a life; nil: nothing is wrong, ever.
type asks func(DiskOperation) error

func (a asks) meet(operations ...DiskOperation) error {
	if a == nil {
		return nil
	}
	for _, of := range operations {
		if err := a(of); err != nil {
			return err
		}
	}
	return nil
}

// asks of a life end with it, however slow the disk is.
func (c *Config) asks(ctx context.Context) asks {
	if c.Disk == nil {
		return nil
	}
	return func(of DiskOperation) error {
		if err := c.Disk(ctx, of); err != nil {
			return fmt.Errorf("%w: %w", errDisk, err)
		}
		return nil
	}
}

// lose has the keeper take the voter down. It is called by whoever meets the error, and does not wait.
func (l *life) lose(err error) {
	select {
	case l.broken <- err:
	default: // it is known already
	}
}

// keeper takes a voter down whose disk fails, and brings it back. It belongs to a Start.
type keeper struct {
	voter  *Voter
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup
	tries  chan chan struct{} // who waits until the disk has been tried
}

func (v *Voter) newKeeper() *keeper {
	k := &keeper{voter: v, tries: make(chan chan struct{})}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

// stop is called without the voter's lock.
func (k *keeper) stop() {
	k.cancel()
	k.done.Wait()
}

// TryDisk has the voter try its disk now, as a fault of it came or went: one that has nothing to write would not notice for long. It
// returns when the voter is down, or back, accordingly. A voter that does not run is left alone.
func (v *Voter) TryDisk(ctx context.Context) {
	k := v.kept()
	if k == nil {
		return
	}
	tried := make(chan struct{})
	select {
	case k.tries <- tried:
	case <-k.ctx.Done():
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-tried:
	case <-k.ctx.Done():
	case <-ctx.Done():
	}
}

// Down says why the voter is down though it was started; nil: it is not. View shows the copy that it had then.
func (v *Voter) Down() error {
	v.lifeMu.Lock()
	defer v.lifeMu.Unlock()
	return v.down
}

// current is the voter's life or, where there is none, the error of what needs one: nil for a voter that was stopped, or was never
// started.
func (v *Voter) current() (*life, error) {
	v.lifeMu.Lock()
	defer v.lifeMu.Unlock()
	if v.life == nil && v.down != nil {
		return nil, fmt.Errorf("%w (%w): ask another zone", ErrDown, v.down)
	}
	return v.life, nil
}

// wellAfter is for how long a voter has to be back to begin with the shortest pause when it goes down again.
const wellAfter = 30 * time.Second

func (k *keeper) run() {
	pause, began := 0, time.Now()
	for k.ctx.Err() == nil {
		l := k.voter.running()
		if l != nil {
			select {
			case err := <-l.broken:
				k.breakDown(l, err)
				if time.Since(began) >= wellAfter {
					pause = 0
				}
			case tried := <-k.tries:
				if err := l.disk.try(); err != nil {
					k.breakDown(l, err)
				}
				close(tried)
			case <-k.ctx.Done():
			}
			continue
		}
		again := time.NewTimer(comeBackPauses[min(pause, len(comeBackPauses)-1)])
		select {
		case tried := <-k.tries:
			k.comeBack()
			close(tried)
		case <-again.C:
			pause++
			k.comeBack()
		case <-k.ctx.Done():
		}
		began = time.Now()
		again.Stop()
	}
}

// breakDown ends a life whose disk fails.
func (k *keeper) breakDown(l *life, why error) {
	v := k.voter
	v.mu.Lock()
	defer v.mu.Unlock()
	if k.ctx.Err() != nil {
		return
	}
	v.goDown(why)
	if err := l.end(); err != nil {
		v.cfg.Logger.Warn("take the regional state down", "az", v.cfg.Zone, "error", err)
	}
}

// comeBack begins a new life where the disk allows it. The copy stays what it is meanwhile, and is behind until the others are heard.
func (k *keeper) comeBack() {
	v := k.voter
	v.mu.Lock()
	defer v.mu.Unlock()
	if k.ctx.Err() != nil {
		return
	}
	l, err := v.begin(k.ctx, true)
	if err != nil {
		v.goDown(err)
		return
	}
	v.lifeMu.Lock()
	v.life, v.down = l, nil
	v.lifeMu.Unlock()
	v.CatchUp(k.ctx)
	v.cfg.Logger.Info("the regional state is back", "az", v.cfg.Zone)
	v.tellDown(nil)
}

// goDown notes why the voter is down, and tells it once.
func (v *Voter) goDown(why error) {
	v.lifeMu.Lock()
	first := v.down == nil
	v.life, v.down = nil, why
	v.lifeMu.Unlock()
	if first {
		v.cfg.Logger.Warn("the regional state is down", "az", v.cfg.Zone, "error", why)
		v.tellDown(why)
	}
}

func (v *Voter) tellDown(why error) {
	if v.cfg.OnDown != nil {
		v.cfg.OnDown(why)
	}
}

// startDown is for a voter whose disk fails at its start: it has the copy that is on the disk, and waits.
func (v *Voter) startDown(ctx context.Context, why error) error {
	if err := readCopy(v.cfg.Dir, v.store); err != nil {
		return errors.Join(why, err)
	}
	listener, err := v.listener(ctx) // which else would let others wait
	if err == nil {
		err = listener.Close()
	}
	if err == nil {
		v.goDown(why)
	}
	return err
}

// apart runs what may end its goroutine, when it meets the disk: see proposals.SetUint64.
func (l *life) apart(do func() error) (err error) {
	returned := false
	var done sync.WaitGroup
	done.Go(func() {
		err = do()
		returned = true
	})
	done.Wait()
	if !returned {
		return <-l.broken
	}
	return err
}

// Set is raft.StableStore's: half of a vote.
func (p *proposals) Set(key, value []byte) error { return p.noticed(p.WAL.Set(key, value)) }

// SetUint64 is raft.StableStore's: a term, or half of a vote. Where a term cannot be stored raft panics, and with it would the zone. So
// the goroutine ends instead: raft does nothing more, as if its process had ended, until it is shut down.
func (p *proposals) SetUint64(key []byte, value uint64) error {
	err := p.noticed(p.WAL.SetUint64(key, value))
	if err != nil && p.lose != nil {
		runtime.Goexit()
	}
	return err
}

// noticed has the voter go down for an error of its log.
func (p *proposals) noticed(err error) error {
	if err != nil && p.lose != nil {
		p.lose(err)
	}
	return err
}
