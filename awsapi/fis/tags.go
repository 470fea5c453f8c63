package fis

import (
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/fis"

	"tripod/awsapi/operation"
	"tripod/state"
)

// tagged is the template or experiment with that ARN, whom the caller may do the call to: its tags, and what sets them.
func (s *Service) tagged(tx *state.Txn, call *operation.Call, arn *string) (tags map[string]string,
	set func(map[string]string), err error) {
	kind, id, _ := strings.Cut(resourceName(aws.ToString(arn)), "/")
	switch kind {
	case "experiment-template":
		t, err := s.templateOf(tx, call, &id)
		return t.Tags, func(tags map[string]string) {
			t.Tags = tags
			templates.Put(tx, id, t)
		}, err
	case "experiment":
		e, err := s.experimentOf(tx, call, &id)
		return e.Tags, func(tags map[string]string) {
			e.Tags = tags
			put(tx, e)
		}, err
	}
	if err := permit(call, aws.ToString(arn), nil); err != nil {
		return nil, nil, err
	}
	return nil, nil, notFound("The resource %s was not found.", aws.ToString(arn))
}

func (s *Service) retag(call *operation.Call, arn *string, edit func(map[string]string)) error {
	return s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		tags, set, err := s.tagged(tx, call, arn)
		if err != nil {
			return err
		}
		changed := maps.Clone(tags)
		if changed == nil {
			changed = map[string]string{}
		}
		edit(changed)
		if len(changed) > 50 {
			return invalid("A resource has at most 50 tags.")
		}
		set(changed)
		return nil
	})
}

func (s *Service) tagResource(call *operation.Call, in *fis.TagResourceInput) (*fis.TagResourceOutput, error) {
	return &fis.TagResourceOutput{}, s.retag(call, in.ResourceArn, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

func (s *Service) untagResource(call *operation.Call, in *fis.UntagResourceInput) (*fis.UntagResourceOutput, error) {
	return &fis.UntagResourceOutput{}, s.retag(call, in.ResourceArn, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}

func (s *Service) listTags(call *operation.Call, in *fis.ListTagsForResourceInput) (*fis.ListTagsForResourceOutput, error) {
	tags := map[string]string{}
	err := s.State.View(func(tx *state.Txn) error {
		own, _, err := s.tagged(tx, call, in.ResourceArn)
		maps.Copy(tags, own)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &fis.ListTagsForResourceOutput{Tags: tags}, nil
}
