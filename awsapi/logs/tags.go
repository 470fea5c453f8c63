package logs

import (
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"tripod/awsapi/operation"
	"tripod/state"
)

const maxTags = 50

// reservedTag says what is wrong with a tag's key beyond the model's constraints, or nothing.
func reservedTag(tags map[string]string) string {
	for key := range tags {
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return "aws: prefixed tag key names are not allowed for external use."
		}
	}
	return ""
}

func (s *Service) tagResource(call *operation.Call,
	in *cloudwatchlogs.TagResourceInput) (*cloudwatchlogs.TagResourceOutput, error) {
	name, err := s.nameInARN(aws.ToString(in.ResourceArn))
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.TagResourceOutput{}, s.tag(call, name, in.Tags)
}

func (s *Service) tagLogGroup(call *operation.Call,
	in *cloudwatchlogs.TagLogGroupInput) (*cloudwatchlogs.TagLogGroupOutput, error) {
	return &cloudwatchlogs.TagLogGroupOutput{}, s.tag(call, aws.ToString(in.LogGroupName), in.Tags)
}

func (s *Service) tag(call *operation.Call, name string, tags map[string]string) error {
	return s.retag(call, name, func(old map[string]string) (map[string]string, error) {
		if wrong := reservedTag(tags); wrong != "" {
			return nil, invalid("%s", wrong)
		}
		merged := map[string]string{}
		maps.Copy(merged, old)
		maps.Copy(merged, tags)
		if len(merged) > maxTags {
			return nil, tooManyTags(s.groupARN(name))
		}
		return merged, nil
	})
}

func (s *Service) untagResource(call *operation.Call,
	in *cloudwatchlogs.UntagResourceInput) (*cloudwatchlogs.UntagResourceOutput, error) {
	name, err := s.nameInARN(aws.ToString(in.ResourceArn))
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.UntagResourceOutput{}, s.untag(call, name, in.TagKeys)
}

func (s *Service) untagLogGroup(call *operation.Call,
	in *cloudwatchlogs.UntagLogGroupInput) (*cloudwatchlogs.UntagLogGroupOutput, error) {
	return &cloudwatchlogs.UntagLogGroupOutput{}, s.untag(call, aws.ToString(in.LogGroupName), in.Tags)
}

func (s *Service) untag(call *operation.Call, name string, keys []string) error {
	return s.retag(call, name, func(old map[string]string) (map[string]string, error) {
		left := maps.Clone(old)
		for _, key := range keys {
			delete(left, key)
		}
		return left, nil
	})
}

// retag changes a group's tags. AWS authorizes it on the group's ARN itself, without the end that stands for its
// streams.
func (s *Service) retag(call *operation.Call, name string,
	change func(map[string]string) (map[string]string, error)) error {
	if err := authorize(call, s.groupARN(name)); err != nil {
		return err
	}
	return s.editAllowed(call, name, func(_ *state.Txn, g *group) (err error) {
		g.Tags, err = change(g.Tags)
		return err
	})
}

func (s *Service) listTagsForResource(call *operation.Call,
	in *cloudwatchlogs.ListTagsForResourceInput) (*cloudwatchlogs.ListTagsForResourceOutput, error) {
	name, err := s.nameInARN(aws.ToString(in.ResourceArn))
	if err != nil {
		return nil, err
	}
	tags, err := s.tagsOf(call, name)
	return &cloudwatchlogs.ListTagsForResourceOutput{Tags: tags}, err
}

func (s *Service) listTagsLogGroup(call *operation.Call,
	in *cloudwatchlogs.ListTagsLogGroupInput) (*cloudwatchlogs.ListTagsLogGroupOutput, error) {
	tags, err := s.tagsOf(call, aws.ToString(in.LogGroupName))
	return &cloudwatchlogs.ListTagsLogGroupOutput{Tags: tags}, err
}

func (s *Service) tagsOf(call *operation.Call, name string) (map[string]string, error) {
	if err := authorize(call, s.groupARN(name)); err != nil {
		return nil, err
	}
	tags := map[string]string{}
	return tags, s.State.View(func(tx *state.Txn) error {
		record, found := groups.Get(tx, name)
		if !found {
			return errNoGroup
		}
		maps.Copy(tags, record.Tags)
		return nil
	})
}
