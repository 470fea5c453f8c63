package kwokusage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
)

// What expressions that are told together may take, with all that they ask for: some milliseconds at most, where usual ones
// take microseconds.
const (
	mostCost     = 20_000
	questionCost = 50 // of Usage and its like, beside what the expressions of the answer cost
	mostTime     = 100 * time.Millisecond
	mostTries    = 3 // as a machine that was busy or asleep makes anything late once
)

var (
	errCost = fmt.Errorf("its expressions, with those that they ask for, go over the cost limit of %d; "+
		"it is passed over until the object changes", mostCost)
	errLate = fmt.Errorf("its expressions, with those that they ask for, take more than %v, %d times in a row; "+
		"it is passed over until the object changes", mostTime, mostTries)
)

// allowance is what is left for expressions that are told together.
type allowance struct {
	ctx  context.Context // ends when their time is over
	cost uint64
}

// left says why nothing is; nil: something is.
func (a *allowance) left() error {
	switch {
	case a.cost == 0:
		return errCost
	case a.ctx.Err() != nil:
		return errLate
	}
	return nil
}

func (a *allowance) spend(cost uint64) { a.cost -= min(cost, a.cost) }

// spent takes off what an evaluation has cost.
func (a *allowance) spent(details *cel.EvalDetails, err error) {
	if over := (interpreter.EvalCancelledError{}); errors.As(err, &over) && over.Cause == interpreter.CostLimitExceeded {
		a.cost = 0
	} else if details != nil && details.ActualCost() != nil {
		a.spend(*details.ActualCost())
	}
}

// fuse is why expressions are passed over: they took more than they may; nil: they did not. An object has it as long as it
// stays the same. Its language's lock guards it.
type fuse struct{ blown error }

// under has do evaluate expressions that share one allowance, which is that of those who ask for them if there are any. It
// may do so again. It assumes the lock.
func (l *language) under(f *fuse, do func() error) error {
	if f.blown != nil {
		return f.blown
	}
	if l.allowed != nil {
		return do()
	}
	var over error
	for try := 0; try < mostTries && !errors.Is(over, errCost); try++ { // who costs too much would do so again
		var err error
		if err, over = l.allow(do); over == nil {
			return err
		}
	}
	f.blown = over
	return over
}

// allow has do evaluate expressions with a new allowance. over says that they took more, which they may have hidden from
// their own result.
func (l *language) allow(do func() error) (err, over error) {
	ctx, cancel := context.WithTimeout(context.Background(), mostTime)
	defer cancel()
	l.allowed = &allowance{ctx, mostCost}
	defer func() { l.allowed = nil }()
	err = do()
	return err, l.allowed.left()
}

// exhausted says that expressions are being told whose allowance is used up. It assumes the lock.
func (l *language) exhausted() bool { return l.allowed != nil && l.allowed.left() != nil }

// costs are those of KWOK's functions that read texts; CEL would have each cost 1 however long the text is.
type costs struct{}

func (costs) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	if function != "Quantity" || len(args) == 0 {
		return nil
	}
	text, _ := args[0].(types.String)
	cost := 1 + uint64(len(text)/10)
	return &cost
}
