package cloudwatch

import (
	"maps"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// named is the name of the alarm with that ARN.
func named(in wire.Document) string {
	_, name, _ := strings.Cut(text(in, "ResourceARN"), ":alarm:")
	return name
}

func (s *Service) tag(call *operation.Call, in wire.Document) (wire.Document, error) {
	in, err := known(in, map[string]member{"ResourceARN": short(1024), "Tags": tags})
	if err != nil {
		return nil, err
	}
	tagging(call, tagsIn(in), nil)
	return nil, s.change(call, named(in), func(_ *state.Txn, a *Alarm) error {
		given := maps.Clone(a.Tags)
		if given == nil {
			given = map[string]string{}
		}
		maps.Copy(given, tagsIn(in))
		if len(given) > tags.most {
			return invalid("The number of tags is limited to %d.", tags.most)
		}
		a.Tags = given
		return nil
	})
}

func (s *Service) untag(call *operation.Call, in wire.Document) (wire.Document, error) {
	tagging(call, nil, texts(in, "TagKeys"))
	return nil, s.change(call, named(in), func(_ *state.Txn, a *Alarm) error {
		for _, key := range texts(in, "TagKeys") {
			delete(a.Tags, key)
		}
		return nil
	})
}

func (s *Service) listTags(call *operation.Call, in wire.Document) (wire.Document, error) {
	shown := []any{}
	err := s.State.View(func(tx *state.Txn) error {
		a, found := alarms.Get(tx, named(in))
		if err := permit(call, s.arn(named(in)), a.Tags); err != nil {
			return err
		}
		if !found {
			return &wire.Error{Code: "ResourceNotFoundException", Status: 404, Message: "Unknown alarm: " + named(in)}
		}
		shown = []any{}
		for _, key := range slices.Sorted(maps.Keys(a.Tags)) {
			shown = append(shown, wire.Document{"Key": key, "Value": a.Tags[key]})
		}
		return nil
	})
	return wire.Document{"Tags": shown}, err
}
