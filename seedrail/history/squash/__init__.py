"""One seed revision in place of many: what it stands for, how databases below it go on, how it is made."""
