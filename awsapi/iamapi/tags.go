package iamapi

import (
	"tripod/awsapi/operation"
	"tripod/state"
)

// tags are the operations of one kind of entity, which N names.
type tags[N subject] struct{ *Service }

// named is an input about the entity that N names. A type parameter cannot be embedded: DecodeQuery takes the member as
// if it were.
type named[N subject] struct {
	Entity N `query:"-"`
}

func (in named[N]) subject(call *operation.Call) thing { return in.Entity.subject(call) }

type tagInput[N subject] struct {
	named[N]
	Tags []Tag `query:",required"`
}

func (t tags[N]) tag(call *operation.Call, in *tagInput[N]) (done, error) {
	return t.alter(call, in.subject(call), func(e entity) (err error) {
		*e.tags, err = checkTags(*e.tags, in.Tags)
		return err
	})
}

type untagInput[N subject] struct {
	named[N]
	TagKeys []string `query:",required"`
}

func (t tags[N]) untag(call *operation.Call, in *untagInput[N]) (done, error) {
	return t.alter(call, in.subject(call), func(e entity) error {
		for _, key := range in.TagKeys {
			delete(*e.tags, key) // one that is not there is no error; the record is the transaction's own copy
		}
		return nil
	})
}

func (t tags[N]) alter(call *operation.Call, one thing, fn func(entity) error) (done, error) {
	return change(t.Service, call, func(tx *state.Txn) (done, error) {
		e, err := findMutable(tx, one.kind, one.name)
		if err != nil {
			return done{}, err
		}
		if err := fn(e); err != nil {
			return done{}, err
		}
		e.save()
		return done{}, nil
	})
}

type listTagsInput[N subject] struct {
	named[N]
	paging
}

type tagsResult struct {
	Tags list[Tag]
	pageEnd
}

func (t tags[N]) list(call *operation.Call, in *listTagsInput[N]) (*tagsResult, error) {
	return view(t.Service, call, func(tx *state.Txn) (*tagsResult, error) {
		one := in.subject(call)
		e, err := find(tx, one.kind, one.name)
		if err != nil {
			return nil, err
		}
		out := &tagsResult{}
		out.Tags, out.pageEnd, err = page(call, in.paging, tagList(*e.tags), func(tag Tag) string { return tag.Key })
		return out, err
	})
}
