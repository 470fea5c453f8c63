package az

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tripod/api"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// failCalls makes calls of an operation of AWS's APIs fail, or wait, in every zone.
func (f *recordFaults) failCalls(ctx context.Context, o api.FaultOrder) (api.FaultDone, error) {
	service, operation, _ := strings.Cut(o.Target.Name, ":")
	if err := f.operation(service, operation); err != nil {
		return api.FaultDone{}, refuse("%v", err)
	}
	word, value, _ := strings.Cut(o.Fault, "=")
	calls := region.CallFault{Percentage: o.Percentage, Principal: o.Principal}
	if calls.Percentage == 0 {
		calls.Percentage = 100
	}
	if word == api.FaultLatency {
		calls.Latency, _ = time.ParseDuration(value)
	} else {
		calls.Error = word
	}
	fault := region.Fault{Target: o.Target.String(), Of: strings.TrimSpace(word + " " + o.Principal),
		Fault: shownCalls(o.Fault, calls), Calls: &calls}
	err := f.state.Update(ctx, func(tx *state.Txn) error {
		if o.Principal != "" && !iam.KnowsPrincipal(tx, o.Principal) {
			return refuse("there is no principal %s in the account: write the ARN of a user, a role or a session", o.Principal)
		}
		f.put(tx, fault, o)
		return nil
	})
	return api.FaultDone{Target: fault.Target, Said: "has the fault " + fault.Fault}, err
}

func (f *recordFaults) callsNamed(o api.FaultOrder) (string, error) { return o.Target.String(), nil }

// shownCalls is a fault of calls as the status shows it: throttle, 30% of role/NAME.
func shownCalls(word string, calls region.CallFault) string {
	var of []string
	if calls.Percentage != 100 {
		of = append(of, fmt.Sprintf("%d%%", calls.Percentage))
	}
	if calls.Principal != "" {
		of = append(of, "of "+calls.Principal[strings.LastIndexByte(calls.Principal, ':')+1:])
	}
	if len(of) == 0 {
		return word
	}
	return word + ", " + strings.Join(of, " ")
}

// hasOperation says that AWS has no such service or operation. Where calls are passed on to another emulator, only that one
// knows.
func (z *Zone) hasOperation(service, operation string) error {
	err := z.backend().CheckOperation(service, operation)
	if err != nil && z.config.Upstream != "" {
		return nil
	}
	return err
}
