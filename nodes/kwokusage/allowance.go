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
	mostLate     = 3
)

var (
	errCost = fmt.Errorf("its expressions, with those that they ask for, go over the cost limit of %d; "+
		"it is passed over until the object changes", mostCost)
	errLate = fmt.Errorf("its expressions, with those that they ask for, take more than %v", mostTime)
	errSlow = fmt.Errorf("%w, %d times in a row; it is passed over until the object changes", errLate, mostLate)
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

// fuse is of what expressions say. It blows when they take more than they may, and its object, if it stays the same, has it
// as long as it is there. Its language's lock guards it.
type fuse struct {
	blown error
	late  int // times in a row: a machine that was busy or asleep makes everything late, and once says nothing
}

// under has do evaluate expressions that share one allowance, which is that of those who ask for them if there are any. It
// assumes the lock.
func (l *language) under(f *fuse, do func() error) error {
	if f.blown != nil {
		return f.blown
	}
	if l.allowed != nil {
		return do()
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.most)
	defer cancel()
	l.allowed = &allowance{ctx, mostCost}
	defer func() { l.allowed = nil }()
	err := do()
	over := l.allowed.left() // an expression may have hidden the error from its own result
	switch {
	case over == nil:
		f.late = 0
		return err
	case errors.Is(over, errCost):
		f.blown = errCost
	default:
		if f.late++; f.late == mostLate {
			f.blown, over = errSlow, errSlow
		}
	}
	return over
}

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
