package awsapi

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"tripod/api"
	"tripod/awsapi/operation"
	"tripod/awsapi/throttle"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/internal/sleep"
	"tripod/region"
	"tripod/state"
)

// faulted has a verified call meet the faults that are in force for it, as people and experiments have put them there: it
// waits as long as they say, and the error is the one that it is refused with. Nobody has asked yet whether the caller may
// make the call: AWS throttles before it authorizes, too.
func (s *server) faulted(x *exchange, r *http.Request, action string) error {
	service := x.signingName()
	var refused *wire.Error
	for _, fault := range s.faultsOf(service, action, x.principal) {
		if rand.IntN(100) >= fault.Calls.Percentage {
			continue
		}
		x.faults = append(x.faults, fault)
		if fault.Calls.Latency > 0 && x.principal.ARN != "" { // nobody waits here who is not known
			// What has been read of the call is all of it: a deadline for its reading would end its context.
			_ = http.NewResponseController(x).SetReadDeadline(time.Time{})
			if err := sleep.For(r.Context(), fault.Calls.Latency); err != nil {
				return err
			}
		}
		if fault.Calls.Error != "" && refused == nil {
			refused = x.injected(fault.Calls.Error)
		}
	}
	if refused == nil {
		return nil // not refused: a nil pointer in an interface is not nil
	}
	return refused
}

// faultsOf are those in force of a principal's calls of an operation.
func (s *server) faultsOf(service, action string, principal iam.Principal) (faults []region.Fault) {
	if service == "" {
		return nil
	}
	s.State.View(func(tx *state.Txn) error {
		faults = slices.DeleteFunc(region.CallFaultsOf(tx, service, action), func(fault region.Fault) bool {
			return fault.Calls == nil || fault.Calls.Principal != "" && !principal.Is(fault.Calls.Principal)
		})
		return nil
	})
	return faults
}

// injected is the service's own error for a word of api.RecordFaults.
func (x *exchange) injected(word string) *wire.Error {
	switch word {
	case api.FaultThrottle:
		return x.service.Throttled(x.protocol, throttle.Message)
	case api.FaultUnavailable:
		return x.service.Unavailable(x.protocol, wire.UnavailableMessage(x.protocol))
	}
	refused := x.service.Unexpected(x.protocol, nil)
	refused.Message = wire.InternalMessage(x.protocol)
	return refused
}

// metFaults are the faults that the call has met, for the history.
func (x *exchange) metFaults() (met []string) {
	for _, fault := range x.faults {
		met = append(met, fault.Fault+" of "+fault.Target)
	}
	return met
}

// CheckOperation says, in one sentence, that there is no service of that signing name here, or that it has no such operation;
// region.EveryOperation is any.
func (b Backend) CheckOperation(service, name string) error {
	var names []string
	for _, one := range b.Services() {
		if names = append(names, one.Name); one.Name != service {
			continue
		}
		if name == region.EveryOperation || slices.ContainsFunc(one.APIs, func(api operation.API) bool { return api.Operation(name) != "" }) {
			return nil
		}
		return fmt.Errorf("%s has no operation %q: write one by its name, such as %s:%s, or %s:%s for all of them", one.Title, name,
			service, one.APIs[0].Names()[0], service, region.EveryOperation)
	}
	return fmt.Errorf("there is no AWS service %q here: write the signing name of one of %s", service, strings.Join(names, ", "))
}
