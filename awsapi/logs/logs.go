// Package logs is Amazon CloudWatch Logs, as far as users of EKS meet it: groups, streams, events and filter patterns,
// in the awsJson1.1 protocol with the shapes of the AWS SDK's published schemas. Groups, streams, retention and tags
// are records of the regional state; the events are logstore's. See DESIGN.md.
package logs

import (
	"context"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/logs/logstore"
	"tripod/state"
)

// Name is the service's signing name.
const Name = "logs"

// Events are where the events of streams are kept: logstore.Store.
type Events interface {
	Append(stream string, events []logstore.Event, mark any) (logstore.Place, error)
	AwaitCopy(ctx context.Context, place logstore.Place) error
	Find(ctx context.Context, q logstore.Query) (logstore.Page, error)
	Scan(ctx context.Context, scan logstore.Scan, visitor func() func(logstore.Found) error) error
	Tail(ctx context.Context, t logstore.Tail)
	Extent(stream string) logstore.Extent
}

// Service answers calls from a zone's copy of the regional state and of the events.
type Service struct {
	// Region is the region's name and AccountID the account's 12 digits: both are parts of ARNs.
	Region, AccountID string
	State             state.Updater
	Events            Events
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Keys are those that groups can be encrypted with; nil: nobody is asked.
	Keys Keys
	// Background runs something beside the call, with a context that ends with the zone, which waits for it. Nil: nobody waits.
	Background func(func(context.Context))
	// PageTime is how long a search goes on before its page ends; 0 means 5 s.
	PageTime time.Duration

	searches searches
	sessions sessions
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// groupARN is a group's ARN, by which it is tagged and named elsewhere.
func (s *Service) groupARN(group string) string {
	return "arn:aws:logs:" + s.Region + ":" + s.AccountID + ":log-group:" + group
}

// streamARN is a stream's ARN; with an empty name it is what AWS authorizes the operations on a whole group against.
func (s *Service) streamARN(group, stream string) string {
	return s.groupARN(group) + ":log-stream:" + stream
}

// authorize refuses the call where its principal may not make it on that resource.
func authorize(call *operation.Call, arn string) error {
	return call.Authorize(wire.AWSJSON, Name+":"+call.Operation, arn)
}
