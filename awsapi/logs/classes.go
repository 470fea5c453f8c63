package logs

import (
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/awsapi/operation"
	"tripod/state"
)

// offered refuses an operation that a group's class does not have ("Log classes" of the user guide), in AWS's words.
func (g group) offered(call *operation.Call, classes ...types.LogGroupClass) error {
	for _, class := range append(classes, types.LogGroupClassStandard) {
		if g.class() == class {
			return nil
		}
	}
	return invalidOperation("The log group %s is of log-group-class %s. %s is not supported for this log class.", g.Name, g.class(),
		call.Operation)
}

// searchable refuses to read the events of a group whose class has queries only, or none of them, and of one whose key is of no
// use.
func (s *Service) searchable(tx *state.Txn, call *operation.Call, g group) error {
	if err := g.offered(call); err != nil {
		return err
	}
	return s.readable(tx, g)
}

// queryable is searchable for queries, which other classes have too.
func (s *Service) queryable(tx *state.Txn, call *operation.Call, g group) error {
	if err := g.offered(call, types.LogGroupClassInfrequentAccess, types.LogGroupClassEssentials); err != nil {
		return err
	}
	return s.readable(tx, g)
}
