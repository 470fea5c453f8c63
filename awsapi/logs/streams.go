package logs

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/awsapi/operation"
	"tripod/logs/logstore"
	"tripod/state"
)

func (s *Service) createLogStream(call *operation.Call,
	in *cloudwatchlogs.CreateLogStreamInput) (*cloudwatchlogs.CreateLogStreamOutput, error) {
	groupName, name := aws.ToString(in.LogGroupName), aws.ToString(in.LogStreamName)
	if err := authorize(call, s.streamARN(groupName, name)); err != nil {
		return nil, err
	}
	id := newStreamID()
	return &cloudwatchlogs.CreateLogStreamOutput{}, s.change(call, func(tx *state.Txn) error {
		if _, found := groups.Get(tx, groupName); !found {
			return errNoGroup
		}
		if _, found := streams.Get(tx, streamKey(groupName, name)); found {
			return exists("The specified log stream already exists")
		}
		addStream(tx, groupName, name, id, s.now())
		return nil
	})
}

func (s *Service) deleteLogStream(call *operation.Call,
	in *cloudwatchlogs.DeleteLogStreamInput) (*cloudwatchlogs.DeleteLogStreamOutput, error) {
	groupName, name := aws.ToString(in.LogGroupName), aws.ToString(in.LogStreamName)
	if err := authorize(call, s.streamARN(groupName, name)); err != nil {
		return nil, err
	}
	return &cloudwatchlogs.DeleteLogStreamOutput{}, s.change(call, func(tx *state.Txn) error {
		_, record, err := streamNamed(tx, groupName, name)
		if err == nil {
			removeStream(tx, record)
		}
		return err
	})
}

// streamNamed is a group and its stream of that name.
func streamNamed(tx *state.Txn, groupName, name string) (group, stream, error) {
	g, found := groups.Get(tx, groupName)
	if !found {
		return group{}, stream{}, errNoGroup
	}
	one, found := streams.Get(tx, streamKey(groupName, name))
	if !found {
		return group{}, stream{}, errNoStream
	}
	return g, one, nil
}

// listed is a stream with what its events tell.
type listed struct {
	stream
	logstore.Extent
}

func (s *Service) describeLogStreams(call *operation.Call,
	in *cloudwatchlogs.DescribeLogStreamsInput) (*cloudwatchlogs.DescribeLogStreamsOutput, error) {
	groupName, err := s.groupName(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if err := authorize(call, s.streamARN(groupName, "")); err != nil {
		return nil, err
	}
	prefix, byTime := aws.ToString(in.LogStreamNamePrefix), in.OrderBy == types.OrderByLastEventTime
	if byTime && prefix != "" {
		return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	var all []listed
	err = s.State.View(func(tx *state.Txn) error {
		if _, found := groups.Get(tx, groupName); !found {
			return errNoGroup
		}
		for _, one := range inGroup(tx, groupName) {
			if err := call.Request.Context().Err(); err != nil {
				return err // what its files have may have to be read
			}
			if strings.HasPrefix(one.Name, prefix) {
				all = append(all, listed{one, s.Events.Extent(one.ID)})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	key := func(one listed) string {
		name := one.Name
		if byTime {
			name = fmt.Sprintf("%015d %s", one.Last, one.Name)
		}
		if aws.ToBool(in.Descending) {
			return reversed(name)
		}
		return name
	}
	list := []string{call.Operation, groupName, prefix, string(in.OrderBy), strconv.FormatBool(aws.ToBool(in.Descending))}
	page, next, err := paged(list, all, key, in.Limit, 50, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.DescribeLogStreamsOutput{LogStreams: []types.LogStream{}, NextToken: next}
	for _, one := range page {
		out.LogStreams = append(out.LogStreams, s.describeStream(one))
	}
	return out, nil
}

func (s *Service) describeStream(one listed) types.LogStream {
	shown := types.LogStream{LogStreamName: &one.Name, CreationTime: aws.Int64(one.CreatedAt.UnixMilli()),
		Arn: aws.String(s.streamARN(one.Group, one.Name))}
	if one.Ingested > 0 {
		shown.FirstEventTimestamp, shown.LastEventTimestamp, shown.LastIngestionTime = &one.First, &one.Last, &one.Ingested
		shown.UploadSequenceToken = aws.String(fmt.Sprintf("%056d", one.Ingested)) // ignored when it comes back
	}
	return shown
}
