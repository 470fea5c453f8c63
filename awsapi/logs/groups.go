package logs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/awsapi/operation"
	"tripod/state"
)

// groupName is the name of the group that an input names in one of two ways: by name, or by name or ARN.
func (s *Service) groupName(name, identifier *string) (string, error) {
	switch {
	case name != nil && identifier != nil:
		return "", invalid("Specify either logGroupName or logGroupIdentifier, and not both.")
	case name != nil:
		return *name, nil
	case identifier == nil:
		return "", invalid("Specify logGroupName or logGroupIdentifier.")
	case !strings.HasPrefix(*identifier, "arn:"):
		return *identifier, nil
	}
	return s.nameInARN(*identifier)
}

// nameInARN is the name of the group with that ARN.
func (s *Service) nameInARN(arn string) (string, error) {
	name, ours := strings.CutPrefix(arn, s.groupARN(""))
	if !ours || name == "" || strings.Contains(name, ":") {
		return "", invalid("The ARN %.256q is not that of a log group of the region %s and the account %s.", arn, s.Region,
			s.AccountID)
	}
	return name, nil
}

func (s *Service) createLogGroup(call *operation.Call,
	in *cloudwatchlogs.CreateLogGroupInput) (*cloudwatchlogs.CreateLogGroupOutput, error) {
	name := aws.ToString(in.LogGroupName)
	if err := authorize(call, s.streamARN(name, "")); err != nil {
		return nil, err
	}
	if strings.HasPrefix(strings.ToLower(name), "aws/") {
		return nil, invalid("Log groups starting with AWS/ are reserved for AWS.")
	}
	if wrong := reservedTag(in.Tags); wrong != "" {
		return nil, invalid("%s", wrong)
	}
	made := group{Name: name, CreatedAt: s.now(), Class: string(in.LogGroupClass), KMSKeyID: aws.ToString(in.KmsKeyId),
		Protected: aws.ToBool(in.DeletionProtectionEnabled), Tags: in.Tags}
	return &cloudwatchlogs.CreateLogGroupOutput{}, s.change(call, func(tx *state.Txn) error {
		if _, found := groups.Get(tx, name); found {
			return exists("The specified log group already exists")
		}
		if made.KMSKeyID != "" {
			if err := s.usable(tx, name, made.KMSKeyID); err != nil {
				return err
			}
		}
		groups.Put(tx, name, made)
		return nil
	})
}

func (s *Service) deleteLogGroup(call *operation.Call,
	in *cloudwatchlogs.DeleteLogGroupInput) (*cloudwatchlogs.DeleteLogGroupOutput, error) {
	name := aws.ToString(in.LogGroupName)
	if err := authorize(call, s.streamARN(name, "")); err != nil {
		return nil, err
	}
	return &cloudwatchlogs.DeleteLogGroupOutput{}, s.change(call, func(tx *state.Txn) error {
		record, found := groups.Get(tx, name)
		switch {
		case !found:
			return errNoGroup
		case record.Protected:
			return protected("The log group %s is protected against deletion: switch that off first "+
				"(put-log-group-deletion-protection).", name)
		}
		for _, one := range inGroup(tx, name) {
			removeStream(tx, one)
		}
		groups.Delete(tx, name)
		return nil
	})
}

// groupFilter says which groups a listing wants.
type groupFilter struct {
	prefix, substring string // the substring in whatever case
	expression        *regexp.Regexp
	class             string
	names             []string
}

func (f groupFilter) wants(g group) bool {
	return strings.HasPrefix(g.Name, f.prefix) &&
		strings.Contains(strings.ToLower(g.Name), strings.ToLower(f.substring)) &&
		(f.expression == nil || f.expression.MatchString(g.Name)) &&
		(f.class == "" || f.class == string(g.class())) &&
		(f.names == nil || slices.Contains(f.names, g.Name))
}

func (g group) class() types.LogGroupClass {
	if g.Class == "" {
		return types.LogGroupClassStandard
	}
	return types.LogGroupClass(g.Class)
}

// list is a page of the groups that a filter wants, by their names.
func (s *Service) list(call *operation.Call, filter groupFilter, limit *int32, token *string) (page []group,
	next *string, err error) {
	if err := authorize(call, s.streamARN("", "")); err != nil {
		return nil, nil, err
	}
	list := append([]string{call.Operation, filter.prefix, filter.substring, fmt.Sprint(filter.expression),
		filter.class}, filter.names...)
	var wanted []group
	err = s.State.View(func(tx *state.Txn) error {
		wanted = slices.DeleteFunc(groups.List(tx), func(g group) bool { return !filter.wants(g) })
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return paged(list, wanted, func(g group) string { return g.Name }, limit, 50, token)
}

func (s *Service) describeLogGroups(call *operation.Call,
	in *cloudwatchlogs.DescribeLogGroupsInput) (*cloudwatchlogs.DescribeLogGroupsOutput, error) {
	if in.LogGroupNamePrefix != nil && in.LogGroupNamePattern != nil {
		return nil, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	filter := groupFilter{prefix: aws.ToString(in.LogGroupNamePrefix), substring: aws.ToString(in.LogGroupNamePattern),
		class: string(in.LogGroupClass)}
	for _, identifier := range in.LogGroupIdentifiers {
		name, err := s.groupName(nil, &identifier)
		if err != nil {
			return nil, err
		}
		filter.names = append(filter.names, name)
	}
	page, next, err := s.list(call, filter, in.Limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.DescribeLogGroupsOutput{LogGroups: []types.LogGroup{}, NextToken: next}
	return out, s.State.View(func(tx *state.Txn) error {
		for _, g := range page {
			out.LogGroups = append(out.LogGroups, s.describeGroup(tx, g))
			if err := call.Request.Context().Err(); err != nil {
				return err // what the files have may have to be read
			}
		}
		return nil
	})
}

func (s *Service) describeGroup(tx *state.Txn, g group) types.LogGroup {
	stored := int64(0)
	for _, one := range inGroup(tx, g.Name) {
		stored += s.Events.Extent(one.ID).Bytes
	}
	shown := types.LogGroup{
		LogGroupName: &g.Name, CreationTime: aws.Int64(g.CreatedAt.UnixMilli()), Arn: aws.String(s.groupARN(g.Name) + ":*"),
		LogGroupArn: aws.String(s.groupARN(g.Name)), LogGroupClass: g.class(), MetricFilterCount: aws.Int32(int32(len(g.MetricFilters))),
		StoredBytes:               &stored,
		DeletionProtectionEnabled: &g.Protected,
	}
	if g.Retention > 0 {
		shown.RetentionInDays = &g.Retention
	}
	if g.KMSKeyID != "" {
		shown.KmsKeyId = &g.KMSKeyID
	}
	return shown
}

func (s *Service) listLogGroups(call *operation.Call,
	in *cloudwatchlogs.ListLogGroupsInput) (*cloudwatchlogs.ListLogGroupsOutput, error) {
	if len(in.DataSources)+len(in.FieldIndexNames)+len(in.LogGroupTags) > 0 {
		return nil, invalid("Tripod lists log groups by logGroupNamePattern and logGroupClass only: leave dataSources, " +
			"fieldIndexNames and logGroupTags out.")
	}
	filter := groupFilter{class: string(in.LogGroupClass)}
	if in.LogGroupNamePattern != nil {
		// the constraint lets only letters, |, ^ and the like pass
		filter.expression = regexp.MustCompile(*in.LogGroupNamePattern)
	}
	page, next, err := s.list(call, filter, in.Limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.ListLogGroupsOutput{LogGroups: []types.LogGroupSummary{}, NextToken: next}
	for _, g := range page {
		out.LogGroups = append(out.LogGroups,
			types.LogGroupSummary{LogGroupName: &g.Name, LogGroupArn: aws.String(s.groupARN(g.Name)), LogGroupClass: g.class()})
	}
	return out, nil
}

// retentions are the numbers of days that can be asked for.
var retentions = []int32{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
	3288, 3653}

func (s *Service) putRetentionPolicy(call *operation.Call,
	in *cloudwatchlogs.PutRetentionPolicyInput) (*cloudwatchlogs.PutRetentionPolicyOutput, error) {
	days := aws.ToInt32(in.RetentionInDays)
	edit := func(g *group) { g.Retention = days }
	if !slices.Contains(retentions, days) {
		return nil, invalid("1 validation error detected: Value '%d' at 'retentionInDays' failed to satisfy constraint: "+
			"Member must satisfy enum value set: %s", days,
			strings.Join(strings.Fields(fmt.Sprint(retentions)), ", "))
	}
	return &cloudwatchlogs.PutRetentionPolicyOutput{}, s.edit(call, aws.ToString(in.LogGroupName), edit)
}

func (s *Service) deleteRetentionPolicy(call *operation.Call,
	in *cloudwatchlogs.DeleteRetentionPolicyInput) (*cloudwatchlogs.DeleteRetentionPolicyOutput, error) {
	return &cloudwatchlogs.DeleteRetentionPolicyOutput{},
		s.edit(call, aws.ToString(in.LogGroupName), func(g *group) { g.Retention = 0 })
}

func (s *Service) putLogGroupDeletionProtection(call *operation.Call,
	in *cloudwatchlogs.PutLogGroupDeletionProtectionInput) (*cloudwatchlogs.PutLogGroupDeletionProtectionOutput, error) {
	name, err := s.groupName(nil, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.PutLogGroupDeletionProtectionOutput{},
		s.edit(call, name, func(g *group) { g.Protected = aws.ToBool(in.DeletionProtectionEnabled) })
}

// edit changes a group's record.
func (s *Service) edit(call *operation.Call, name string, edit func(*group)) error {
	return s.editWith(call, name, func(_ *state.Txn, g *group) error { edit(g); return nil })
}

// editWith is edit for what can be refused.
func (s *Service) editWith(call *operation.Call, name string, edit func(*state.Txn, *group) error) error {
	if err := authorize(call, s.streamARN(name, "")); err != nil {
		return err
	}
	return s.editAllowed(call, name, edit)
}

// editAllowed is editWith for a caller who may do it.
func (s *Service) editAllowed(call *operation.Call, name string, edit func(*state.Txn, *group) error) error {
	return s.change(call, func(tx *state.Txn) error {
		record, found := groups.Get(tx, name)
		if !found {
			return errNoGroup
		}
		if err := edit(tx, &record); err != nil {
			return err
		}
		groups.Put(tx, name, record)
		return nil
	})
}

// change runs a transaction, whose refusals reach the client.
func (s *Service) change(call *operation.Call, fn func(*state.Txn) error) error {
	if err := s.State.Update(call.Request.Context(), fn); err != nil {
		return fmt.Errorf("%s: %w", call.Operation, err)
	}
	return nil
}
