package iamapi

import (
	"regexp"
	"strings"

	"tripod/awsapi/operation"
	"tripod/state"
)

// accountAlias is a name of the account: it has one at most.
type accountAlias struct {
	Name string `json:"name"`
}

var accountAliases = state.NewTable[accountAlias]("account-alias") // by Name

// aliasPattern is the model's, which Go's regexp does not understand: aliasChars and no two hyphens in a row.
const aliasPattern = `^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$`

var aliasChars = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

type aliasInput struct {
	AccountAlias string `query:",required"`
}

func (in aliasInput) check() error {
	if !aliasChars.MatchString(in.AccountAlias) || strings.Contains(in.AccountAlias, "--") {
		return invalid("1 validation error detected: Value '%s' at 'accountAlias' failed to satisfy constraint: Member "+
			"must satisfy regular expression pattern: %s", in.AccountAlias, aliasPattern)
	}
	return nil
}

// createAlias names the account, instead of the name that it has.
func (s *Service) createAlias(call *operation.Call, in *aliasInput) (done, error) {
	if err := in.check(); err != nil {
		return done{}, err
	}
	return change(s, call, func(tx *state.Txn) (done, error) {
		for _, other := range accountAliases.List(tx) {
			if other.Name == in.AccountAlias {
				return done{}, alreadyExists("The account alias %s already exists.", in.AccountAlias)
			}
			accountAliases.Delete(tx, other.Name)
		}
		accountAliases.Put(tx, in.AccountAlias, accountAlias{in.AccountAlias})
		return done{}, nil
	})
}

func (s *Service) deleteAlias(call *operation.Call, in *aliasInput) (done, error) {
	if err := in.check(); err != nil {
		return done{}, err
	}
	return change(s, call, func(tx *state.Txn) (done, error) {
		if _, found := accountAliases.Get(tx, in.AccountAlias); !found {
			return done{}, noSuchEntity("The account alias %s cannot be found.", in.AccountAlias)
		}
		accountAliases.Delete(tx, in.AccountAlias)
		return done{}, nil
	})
}

type aliasList struct {
	AccountAliases list[string]
	pageEnd
}

func (s *Service) listAliases(call *operation.Call, in *paging) (*aliasList, error) {
	return view(s, call, func(tx *state.Txn) (*aliasList, error) {
		names, end, err := pageOf(call, *in, from(tx, accountAliases.Part("")), func(accountAlias) bool { return true })
		return &aliasList{described(names, func(a accountAlias) string { return a.Name }), end}, err
	})
}
