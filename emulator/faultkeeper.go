package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"tripod/api"
)

// timedFault is a fault that may act from time to time, and end by itself.
type timedFault interface {
	// now says whether it acts at a moment, and when that changes next; zero: it does not by itself.
	now(at time.Time) (acts bool, next time.Time)
	// over says that it has ended by itself before a moment.
	over(at time.Time) bool
}

// faultKeeper keeps faults by which the zones act, in a file of the data directory: the regional state cannot have them, as nothing can be
// written there while they keep its voters from it. Its zero value lacks the functions. W is what a zone has to know of them.
type faultKeeper[F timedFault, W any] struct {
	*site
	life  *life
	zones zones

	file string                // in the data directory
	kind string                // "links", for messages
	good func(F) error         // says what is wrong with a fault that was read
	show func([]F) []api.Fault // as the status has them
	// wanted is what a zone has to know at this moment, in JSON the same while that is the same; send tells it.
	wanted func(*zone) W
	send   func(ctx context.Context, z *zone, number int64, wanted W) error
	here   func() // puts in force what acts in this process

	asleep func() bool // the region's processes stand still, and can be told nothing
	waker

	telling sync.Mutex        // held while the zones are told
	told    map[string]string // what each zone knows, by its name; those are not there of which that is not sure
	number  int64             // of the newest settings; higher than those of earlier starts

	mu     sync.Mutex
	faults []F
}

func newFaultKeeper[F timedFault, W any](site *site, life *life, zones zones) *faultKeeper[F, W] {
	return &faultKeeper[F, W]{site: site, life: life, zones: zones, waker: newWaker(), told: map[string]string{},
		number: time.Now().UnixNano(), asleep: func() bool { return false }, here: func() {}}
}

// open reads what was in force when the region ran last.
func (k *faultKeeper[F, W]) open() error {
	text, err := os.ReadFile(k.dir.file(k.file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(text, &k.faults)
	}
	for _, f := range k.faults {
		if err == nil {
			err = k.good(f)
		}
	}
	if err != nil {
		return fmt.Errorf("%s is damaged: delete it, and the faults of %s are gone: %w", k.dir.file(k.file), k.kind, cause(err))
	}
	return nil
}

// keep ends the faults whose time is over, lets those flap that do, and tells zones that could not be told before, until ctx ends. It
// sleeps while there is nothing of that.
func (k *faultKeeper[F, W]) keep(ctx context.Context) { k.each(ctx, k.settle) }

// retryTelling is how soon a zone is told again that did not answer.
const retryTelling = 2 * time.Second

// settle brings all in line with this moment, and says when to look again.
func (k *faultKeeper[F, W]) settle(ctx context.Context) (next time.Time) {
	if k.asleep() {
		return next // it is woken when the region is
	}
	at := time.Now()
	k.mu.Lock()
	var ended []F
	k.faults = slices.DeleteFunc(k.faults, func(f F) bool {
		if f.over(at) {
			ended = append(ended, f)
		}
		return f.over(at)
	})
	for _, f := range k.faults {
		if _, then := f.now(at); !then.IsZero() && (next.IsZero() || then.Before(next)) {
			next = then
		}
	}
	if len(ended) > 0 {
		if err := k.save(); err != nil {
			k.logger.Warn("save the faults of "+k.kind, "error", err)
		}
	}
	k.mu.Unlock()
	if k.tell(ctx) != nil && (next.IsZero() || next.After(at.Add(retryTelling))) {
		next = at.Add(retryTelling)
	}
	for _, f := range k.show(ended) {
		k.emit(api.Event{Target: f.Target, Type: api.FaultCleared, Message: fmt.Sprintf("the fault of %s, %s, is over: its time has come",
			f.Target, f.Fault)})
	}
	return next
}

// save writes the faults down. It assumes the lock.
func (k *faultKeeper[F, W]) save() error { return k.dir.writeJSON(k.file, k.faults) }

// replace takes away the faults that gone says, adds others, and writes that down. It says whether there were any of the former.
func (k *faultKeeper[F, W]) replace(gone func(F) bool, added ...F) (had bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := slices.Clone(k.faults)
	k.faults = slices.DeleteFunc(k.faults, gone)
	had = len(k.faults) < len(before)
	k.faults = append(k.faults, added...)
	if !had && len(added) == 0 {
		return false, nil
	}
	if err := k.save(); err != nil {
		k.faults = before
		return false, err
	}
	return had, nil
}

// lasting is when a fault begins that is put in force now, and when it ends by itself; nil: it does not.
func lasting(span time.Duration) (since time.Time, until *time.Time) {
	since = time.Now().UTC().Truncate(time.Millisecond)
	if span > 0 {
		end := since.Add(span)
		until = &end
	}
	return since, until
}

// effect tells the zones, and has the keeper look after what has changed.
func (k *faultKeeper[F, W]) effect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, verbTimeout)
	defer cancel()
	err := k.tell(ctx)
	k.nudge()
	return err
}

// clear takes all faults back.
func (k *faultKeeper[F, W]) clear(ctx context.Context) error {
	had, err := k.replace(func(F) bool { return true })
	if err != nil || !had {
		return err
	}
	err = k.effect(ctx)
	k.emit(api.Event{Type: api.FaultCleared, Message: "all " + k.kind + " are healed"})
	return err
}

// acting are the faults that act at this moment. While the region starts there are none: it would not come up.
func (k *faultKeeper[F, W]) acting() (acting []F) {
	if !k.life.isUp() {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	at := time.Now()
	for _, f := range k.faults {
		if acts, _ := f.now(at); acts && !f.over(at) {
			acting = append(acting, f)
		}
	}
	return acting
}

// shown are the faults in force, as the status has them.
func (k *faultKeeper[F, W]) shown() []api.Fault {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.show(k.faults)
}

// atStart is what a zone has to know that is about to start, and the number of that.
func (k *faultKeeper[F, W]) atStart(z *zone) (number int64, wanted W) {
	k.telling.Lock()
	defer k.telling.Unlock()
	wanted = k.wanted(z)
	k.told[z.name] = asText(wanted)
	k.number++
	return k.number, wanted
}

// asText is what a zone has to know as it is compared.
func asText(wanted any) string {
	text, err := json.Marshal(wanted)
	if err != nil {
		panic(fmt.Sprintf("what a zone has to know, %T: %v", wanted, err)) // a type of ours that JSON cannot say
	}
	return string(text)
}

// tell puts in force what is true now: in this process, and in all zones that serve. Others are told when they do.
func (k *faultKeeper[F, W]) tell(ctx context.Context) error {
	if k.asleep() {
		return nil
	}
	k.telling.Lock()
	defer k.telling.Unlock()
	k.here()
	var telling sync.WaitGroup
	errs := make([]error, len(k.zones))
	texts := make([]string, len(k.zones))
	for i, z := range k.zones {
		wanted := k.wanted(z)
		texts[i] = asText(wanted)
		if z.reachable() != nil || !z.status().agent.Serving || texts[i] == k.told[z.name] {
			texts[i] = ""
			continue
		}
		delete(k.told, z.name) // one that answers late may have heard
		k.number++
		number := k.number
		telling.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			if err := k.send(ctx, z, number, wanted); err != nil {
				errs[i] = fmt.Errorf("zone %s does not answer: what was asked for is so elsewhere, and there as soon as it answers: %w", z.name, err)
			}
		})
	}
	telling.Wait()
	for i, z := range k.zones {
		if texts[i] != "" && errs[i] == nil {
			k.told[z.name] = texts[i]
		}
	}
	return errors.Join(errs...)
}
